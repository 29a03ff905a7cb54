"""Which kernels the job of a multirun gets before its process begins, perhaps forked from one that has TensorFlow."""

from __future__ import annotations

import pytest

import srexp
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
