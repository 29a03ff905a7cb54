from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import srexp
from srexp.config.command_line import presets_last
from srexp.config.compose import alternative, compose
from srexp.config.paths import config_home, project_root
from srexp.errors import RequestError
from srexp.experiment.task import builders

CONF = config_home() / "conf"
CHOICES = sorted(
    (path.parent.name, path.stem)
    for path in CONF.glob("*/*.yaml")
    if path.parent.name not in ("hydra", "experiment", "debug")
)
PRESETS = sorted(
    (path.parent.name, path.stem) for group in ("experiment", "debug") for path in CONF.glob(f"{group}/*.yaml")
)
NEEDS = {("dataset", "folder"): ["dataset.root=somewhere"], ("dataset", "paired"): ["dataset.root=somewhere"]}


def test_defaults_are_typed():
    config = srexp.compose()
    assert config.experiment_name == "samples-bicubic-x2"
    assert config.model.name == "srcnn"
    assert isinstance(config.trainer.epochs, int)
    assert config.choices["model"] == "srcnn"
    assert config.paths.root == project_root() / "mlruns"


def test_overrides_arrive():
    config = srexp.compose(["model=vdsr", "optimizer.lr=1e-4", "scale=4"])
    assert (config.model.name, config.optimizer.lr, config.experiment_name) == ("vdsr", 1e-4, "samples-bicubic-x4")


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_choice_composes(group, name):
    verb = "search" if group == "search" else "train"
    config = srexp.compose([f"{group}={name}", *NEEDS.get((group, name), [])], verb=verb)
    assert config.choices[group] == name


@pytest.mark.slow
def test_another_choice_is_what_composing_it_gives():
    config = srexp.compose(["degradation=blur"], verb="data")
    for group in ("degradation", "schedule"):
        for name in [name for each, name in CHOICES if each == group]:
            expected = srexp.compose([f"{group}={name}"], verb="data")
            assert alternative(config, group, name) == getattr(expected, group)


def folders_typed(group, name):
    """Where its images are is not for a preset to say."""
    text = (CONF / group / f"{name}.yaml").read_text()
    for other in re.findall(r"^  - (\w+)\b(?!:)", text, re.MULTILINE):  # which it begins with
        if (included := CONF / group / f"{other}.yaml").is_file():
            text += included.read_text()
    typed = ["dataset.root=somewhere"] if "override /dataset: folder" in text else []
    return [*typed, *(["dataset.test_root=elsewhere"] if "test_root: ???" in text else [])]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("group", "name"), PRESETS)
def test_every_preset_composes_to_parts_that_fit(group, name):
    config = srexp.compose([f"+{group}={name}", *folders_typed(group, name)])
    assert config.choices[group] == name
    builders(config)


@pytest.mark.parametrize(("group", "name"), PRESETS)
def test_no_preset_asks_for_a_value_that_its_section_has(group, name):
    """Merging leaves the section's value where a preset writes `???`, so nothing would be asked for."""
    assert "???" not in (CONF / group / f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", [name for group, name in PRESETS if group == "experiment"])
def test_every_experiment_is_a_lab_note(name):
    header = "".join(re.findall(r"^#.*\n", (CONF / "experiment" / f"{name}.yaml").read_text(), re.MULTILINE))
    assert re.search(rf"python -m srexp .*\+experiment={name}\b", header)
    assert "Cost: " in header
    assert "Result: " in header


@pytest.mark.parametrize("verb", [path.stem for path in CONF.glob("*.yaml") if path.stem != "base"])
def test_every_verb_composes(verb):
    missing = [key for key, value in yaml.safe_load((CONF / f"{verb}.yaml").read_text()).items() if value == "???"]
    assert compose(verb, [f"{key}=here" for key in missing])[0].verb == verb


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("override", "said", "mend"),
    [
        ("optimzer.lr=1", "optimzer.lr does not exist", "did you mean optimizer.lr?"),
        ("dataset.root=/data", "dataset.root does not exist", "dataset=folder, dataset=paired have it"),
        ("+dataset.root=/data", "dataset.root does not exist", "dataset=folder, dataset=paired have it"),
        ("model=vdsrr", "model=vdsrr does not exist", "did you mean vdsr?"),
        ("tags=[1]", "tags can't take this value", "--cfg job for what tags has"),
        ("model={kernals:[3]}", "model.kernals does not exist", "did you mean model.kernels?"),
        ("+optimizer.lrr=1", "optimizer.lrr does not exist", "did you mean optimizer.lr?"),
        ("+trainer.epoch=1", "trainer.epoch does not exist", "did you mean trainer.epochs?"),
        ("+run_dir=elsewhere", "run_dir does not exist", ""),
        ("+sede=1", "sede does not exist", "did you mean seed?"),
        ("optimizer.lr=abc", "optimizer.lr='abc'", ""),
        ("trainer.max_minutes=soon", "trainer.max_minutes='soon'", ""),
        ("trainer.epochs=0", "trainer.epochs=0", "greater than or equal to 1"),
        ("trainer.precision=float16", "trainer.precision='float16'", "mixed_bfloat16"),
        ("scale=two", "scale='two'", ""),
        ("~seed", "seed is missing", ""),
        ("seed=1,2", "Ambiguous value", "add -m"),
        ("run_name=${nowhere}", "does not resolve", ""),
        ("+experiment=nothing_like_it", "experiment=nothing_like_it does not exist", ""),
        ("'optimizer.lr=1", "not an override", "key=value"),
        ("model=null", "a configuration group was given no name", "model=vdsr"),
        ("+experiment=[nothing,like_it]", "experiment=like_it does not exist", "conf/experiment/NAME.yaml"),
    ],
)
def test_a_wrong_request_is_named_with_its_mend(override, said, mend):
    with pytest.raises(RequestError) as refused:
        srexp.compose([override])
    assert said in str(refused.value)
    assert mend in str(refused.value)


def test_a_debug_preset_comes_last_wherever_it_stands():
    assert presets_last(["+debug=fast", "seed=2", "+experiment=x"])[-1] == "+debug=fast"


def test_values_typed_beside_a_debug_preset_still_count():
    assert srexp.compose(["+debug=fast", "trainer.epochs=2"]).trainer.epochs == 2


def test_the_environment_moves_everything_that_runs_write(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    paths = srexp.compose().paths
    assert paths.cache == tmp_path / "mlruns" / "cache"
    assert paths.outputs == tmp_path / "mlruns" / "outputs"
