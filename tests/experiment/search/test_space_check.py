"""A space is held against the configuration before anything is trained, and a study against what it began with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import srexp
from srexp.config.builders import build
from srexp.config.frozen_files import Files, frozen
from srexp.config.paths import config_home
from srexp.errors import RequestError
from srexp.experiment.search.search_job import base_overrides, trial_overrides
from srexp.experiment.search.space_check import Request, require_composable, require_same_search
from srexp.search.space import Space

LR = "optimizer.lr:{type:float,low:1e-5,high:1e-3,log:true}"


def config_of(space: str, *more: str):
    return srexp.compose([f"search.space={{{space}}}", *more], verb="search")


def refusal(space: str, *more: str) -> str:
    config = config_of(space, *more)
    with pytest.raises(RequestError) as refused:
        require_composable(config, Space.parse(config.search.space))
    return str(refused.value)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("space", "said"),
    [
        (
            "optimizer.lrr:{type:float,low:1e-5,high:1e-3}",
            ("lrr does not exist", "did you mean optimizer.lr?"),
        ),
        ("model.depth:{type:int,low:2,high:4}", ("model.depth does not exist", "kernels, model.filters")),
        ("model:{type:categorical,choices:[srcnn,vdrs]}", ("model=vdrs", "did you mean vdsr?")),
        (
            "trainer.epochs:{type:int,low:0,high:4}",
            ("allows trainer.epochs=0", "greater than or equal to 1"),
        ),
        (
            "trainer.batch_size:{type:int,low:16,high:48,step:8},trainer.patches_per_image:{type:categorical,choices:[1,16]}",
            ("trainer.batch_size=24 trainer.patches_per_image=16", "does not divide"),
        ),
        ("trainer.patch_size:{type:int,low:16,high:20}", ("allows trainer.patch_size=17", "no multiple")),
        ("optimizer.lr:{type:float,low:-1.0,high:1.0}", ("allows optimizer.lr=-1.0", "out of range")),
        ("model.filters:{type:categorical,choices:[[64,32],[64]]}", ("model.filters=[64]", "doesn't describe SRCNN")),
        ("optimizer.lr:{type:categorical,choices:[fast]}", ("optimizer.lr=fast", "number")),
        ("model.start:{type:categorical,choices:[copy,papre]}", ("model.start=papre", "'copy' or 'paper'")),
        ("seed:{type:int,low:1,high:3}", ("search.space.seed decides on which images", "one search for each")),
        ("dataset.limit:{type:int,low:1,high:3}", ("search.space.dataset.limit decides",)),
        ("trainer.validation_size:{type:int,low:16,high:32}", ("trainer.validation_size decides",)),
        ("paths.root:{type:categorical,choices:[a]}", ("paths.root does not exist",)),
        ("extensions:{type:categorical,choices:[os]}", ("search.space.extensions can't be searched",)),
        ("model._target_:{type:categorical,choices:[os.mkdir]}", ("model._target_ is not allowed",)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_configuration_refuses_is_named(space: str, said: tuple[str, ...]) -> None:
    message = refusal(space)
    assert all(part in message for part in said), message


def test_what_lowers_psnr_on_purpose_is_not_searched_by_it() -> None:
    message = refusal(LR, "training=adversarial")
    assert "training=adversarial can't be searched" in message
    assert "train the best with training=adversarial" in message
    srexp.compose(["+sweeps=srcnn_tpe", "training=adversarial", "training.weight=0"], verb="search")


@pytest.mark.one_in(3)
@pytest.mark.parametrize("recipe", sorted(path.stem for path in (config_home() / "sweeps").glob("*.yaml")))
def test_every_recipe_fits_its_configuration(recipe: str, tmp_path: Path) -> None:
    own_images = [f"dataset.root={tmp_path}"] if recipe == "hybrid_recipe" else []
    config = srexp.compose([f"+sweeps={recipe}", *own_images], verb="search")
    engine = build(config.search, folder=tmp_path)
    assert engine.name == recipe
    require_composable(config, engine.parsed)
    if recipe == "paper_grid":
        assert engine.trials == len(list(engine.parsed.grid()))


def test_a_space_over_two_networks_fits() -> None:
    config = config_of(
        f"{LR},model:{{type:categorical,choices:[srcnn,vdsr]}},"
        "model.depth:{type:int,low:4,high:8,step:4,when:{model:vdsr}},"
        "model.filters:{type:categorical,choices:[[64,32],[32,16]],when:{model:srcnn}}"
    )
    require_composable(config, Space.parse(config.search.space))


def test_a_trial_is_typed_with_its_values_in_place_of_those_of_the_search() -> None:
    config = config_of(LR, "optimizer.lr=0.5", "scale=4", "model=vdsr")
    values = {"optimizer.lr": 1e-4, "model": "srcnn", "model.filters": [32, 16]}
    typed = trial_overrides(base_overrides(config), values)
    assert typed == ["scale=4", "optimizer.lr=0.0001", "model=srcnn", "model.filters=[32,16]"]
    trial = srexp.compose(typed)
    assert (trial.scale, trial.optimizer.lr, trial.model.filters) == (4, 1e-4, [32, 16])


class Known:
    """A study as far as it is asked here."""

    def __init__(self) -> None:
        self.facts: dict[str, object] = {}

    def about(self):
        return self.facts

    def describe(self, **facts) -> None:
        self.facts |= facts


def test_a_study_goes_on_only_with_what_it_began_with(tmp_path: Path) -> None:
    study = Known()

    def ask(space: str = LR, fingerprint: str = "a" * 64, typed: tuple[str, ...] = ("model=vdsr",)) -> None:
        engine = build(config_of(space).search, folder=tmp_path)
        task = SimpleNamespace(prepared=SimpleNamespace(fingerprint=fingerprint))
        require_same_search(study, engine, task, Request(typed, ["digest"], Files()))

    ask()
    ask()
    for changed, said in (
        ({"space": LR.replace("1e-3", "1e-2")}, "search.space.optimizer.lr: high 0.001 -> 0.01"),
        ({"fingerprint": "b" * 64}, "data_fingerprint: aaaaaaaaaaaaaaaa -> bbbbbbbbbbbbbbbb"),
        ({"typed": ("model=vdsr", "scale=4")}, "configuration: with scale=4"),
        ({"typed": ()}, "configuration: without model=vdsr"),
    ):
        with pytest.raises(RequestError) as refused:
            ask(**changed)
        assert said in str(refused.value)
        assert "search.name=search_2" in str(refused.value)


@pytest.mark.slow
def test_a_study_goes_on_only_with_what_its_words_were_composed_to(own_conf: Path, tmp_path: Path) -> None:
    """A search that is repeated after a file was edited is told which, the same words notwithstanding."""
    study = Known()
    task = SimpleNamespace(prepared=SimpleNamespace(fingerprint="a"))
    space = f"{LR},model:{{type:categorical,choices:[srcnn,vdsr]}}"
    for path in own_conf.rglob("*.yaml"):
        os.utime(path, (time.time() - 100, time.time() - 100))

    def ask() -> None:
        with frozen() as files:
            config = config_of(space)
            engine = build(config.search, folder=tmp_path / "study")
            composed = require_composable(config, engine.parsed)
            require_same_search(study, engine, task, Request((), composed, files))

    ask()
    for name in ("trainer/default", "model/vdsr"):
        path = own_conf / f"{name}.yaml"
        text = path.read_text()
        path.write_text(text + "# a remark decides nothing\n")
        ask()
        path.write_text(re.sub("^(epochs|depth): ", r"\1: 1", text, flags=re.MULTILINE))
        study.facts["began"] = time.time() - 50
        with pytest.raises(RequestError, match="composed to something else") as refused:
            ask()
        assert str(path) in str(refused.value)
        path.write_text(text)
    del study.facts["composed"]  # as a study of an earlier version
    ask()


def test_trials_of_a_study_that_was_lost_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "trials" / "0000").mkdir(parents=True)
    study = SimpleNamespace(about=dict, describe=lambda **facts: pytest.fail(f"noted {facts}"))
    engine, task = (
        build(config_of(LR).search, folder=tmp_path),
        SimpleNamespace(prepared=SimpleNamespace(fingerprint="a")),
    )
    with pytest.raises(RequestError, match="its trials are in") as refused:
        require_same_search(study, engine, task, Request((), (), Files()))
    assert "search.name=search_2" in str(refused.value)


WRONG = {
    "did you mean srcnn_tpe?": ["+sweeps=srcnn_tpee"],
    "search.sampler": ["+sweeps=srcnn_tpe", "search.sampler=tpee"],
    "optimizer.lr": ["+sweeps=srcnn_tpe", "search.space.optimizer.lr.low=1"],
    "space.optimizer.lrr does not exist": ["+sweeps=srcnn_tpe", f"search.space={{{LR.replace('lr', 'lrr')}}}"],
    "'+search.space={...}' adds them": ["+sweeps=srcnn_tpe", f"search.space={{{LR.replace('lr', 'beta_1')}}}"],
    "search.name is no name of a folder": ["+sweeps=srcnn_tpe", "search.name=a/b"],
    "search.space is empty": [],
}
_TRIED = """
import json, sys
from srexp.cli import run
for said, words in json.loads(sys.argv[1]).items():
    print(said, run(["search", *words]), file=sys.stderr)
print(sorted({"tensorflow", "keras", "mlflow", "optuna", "keras_tuner"} & sys.modules.keys()), file=sys.stderr)
"""


def test_wrong_requests_are_refused_before_anything_heavy_is_loaded(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", _TRIED, json.dumps(WRONG)], capture_output=True, text=True, check=True, timeout=100
    )
    rest = done.stderr
    for said in WRONG:
        told, end, rest = rest.partition(f"{said} 2\n")
        assert said in told, told
        assert end, done.stderr
    assert rest == "[]\n"
