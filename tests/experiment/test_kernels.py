"""Which kernels the job of a multirun gets before its process begins, perhaps forked from one that has TensorFlow."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import srexp
from srexp.experiment import kernels
from srexp.experiment.kernels import environment_for
from srexp.system.kernels import choice


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What is looked up."""
    told = []

    def look_up(network, job, *, precision="float32"):
        told.append((network, job, precision))
        return {choice.SWITCH: "0"}

    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    monkeypatch.setattr(choice, "environment_for", look_up)
    return told


@pytest.mark.parametrize(
    ("verb", "typed", "expected"),
    [
        ("train", ["model=vdsr", "trainer.precision=float32"], ("vdsr", "training", "float32")),
        ("search", ["+sweeps=vdsr_hyperband"], ("vdsr", "training", "auto")),
        ("adopt", ["model=srcnn", "weights=w.npz"], ("srcnn", "restoring", "float32")),
        ("evaluate", ["model_uri=zoo/hybrid-cxr-x2"], ("hybrid", "restoring", "float32")),
        ("enhance", ["model_uri=zoo/hybrid-cxr-x2", "input=a", "output=b"], ("hybrid", "restoring", "float32")),
    ],
)
def test_a_job_is_known_by_its_configuration(asked, verb, typed, expected):
    assert environment_for(srexp.compose(typed, verb)) == {choice.SWITCH: "0"}
    assert asked == [expected]


@pytest.mark.parametrize("uri", ["bicubic", "models:/nobody@candidate"])
def test_what_is_no_network_of_the_store_is_left_to_the_job(asked, uri):
    assert environment_for(srexp.compose([f"model_uri={uri}"], "evaluate")) == {}
    assert asked == []


@pytest.mark.parametrize(("kind", "expected"), [("onednn", {choice.SWITCH: "1"}), ("default", {}), (None, {})])
def test_a_training_goes_on_with_the_kernels_that_it_began_with(asked, monkeypatch, kind, expected):
    monkeypatch.delenv(choice.SWITCH, raising=False)
    tags = {choice.KERNELS: kind} if kind else {}
    monkeypatch.setattr(kernels, "get_run", lambda store, run_id: SimpleNamespace(tags=tags if run_id == "7" else None))
    assert environment_for(srexp.compose(["model=vdsr", "resume='7'"], "train")) == expected
    assert asked == []


@pytest.mark.parametrize(
    ("verb", "typed"),
    [
        ("serve", ["model_uri=[zoo/hybrid-cxr-x2,models:/nobody/1]"]),
        ("promote", ["name=x", "version=candidate"]),
        ("compare", ["runs=[a,b]", "models=[zoo/hybrid-cxr-x4]"]),
    ],
)
def test_of_several_models_the_first_one_decides(asked, monkeypatch, verb, typed):
    of_run = {"a": "hybrid", "b": "vdsr"}
    monkeypatch.setattr(kernels, "get_run", lambda store, run_id: SimpleNamespace(tags={"model": of_run[run_id]}))
    if verb == "promote":
        monkeypatch.setattr(kernels, "find", lambda store, uri: SimpleNamespace(uri=uri))
        monkeypatch.setattr(kernels, "network_of", lambda store, it: {"models:/x@candidate": "hybrid"}[it.uri])
    assert environment_for(srexp.compose(typed, verb)) == {choice.SWITCH: "0"}
    assert asked == [("hybrid", "restoring", "float32")]


def test_a_run_that_is_not_there_is_left_to_the_job(asked):
    assert environment_for(srexp.compose(["model=vdsr", "resume=0123456789abcdef"], "train")) == {}
    assert asked == []
