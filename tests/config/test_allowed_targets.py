"""Only builders of its own kind can be named in a section."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from srexp.config.allowed_targets import BUILDERS, RENAMED, current, first, renewed, require_allowed
from srexp.config.builders import check_section, locate
from srexp.errors import RequestError


@pytest.mark.parametrize(
    ("group", "target"),
    [
        ("model", "keras.saving.load_model"),
        ("model", "keras.layers.TFSMLayer"),
        ("loss", "keras.losses.deserialize"),
        ("loss", "keras.config.enable_unsafe_deserialization"),
        ("optimizer", "keras.optimizers.get"),
        ("optimizer", "keras.src.utils.file_utils.makedirs"),
        ("dataset", "srexp.data.download.fetch.fetch"),
        ("dataset", "srexp.models.srcnn.build"),
        ("model", "srexp.models.srcnn._body"),
        ("tracking", "srexp.tracking.store.store.connect"),
        ("schedule", "srexp.training.numerics.prepare"),
        ("anything", "srexp.models.srcnn.build"),
    ],
)
def test_a_section_is_built_by_its_own_kind_of_builder(group: str, target: str) -> None:
    with pytest.raises(RequestError, match="not allowed"):
        check_section(group, {"_target_": target}, [])


@pytest.mark.parametrize(
    ("group", "target"),
    [
        ("optimizer", "keras.optimizers.RMSprop"),
        ("loss", "keras.losses.Huber"),
        ("loss", "srexp.training.losses.charbonnier"),
    ],
)
def test_builders_of_a_section_are_allowed(group: str, target: str) -> None:
    assert check_section(group, {"_target_": target}, []).target == target


EXAMPLES = {"MODULE": "module", "CLASS": "Class", "FUNCTION": "function"}


@pytest.mark.parametrize(
    ("group", "pattern"), [(group, each) for group, several in BUILDERS.items() for each in several]
)
def test_a_builder_is_named_from_its_first_letter_to_its_last(group: str, pattern: str) -> None:
    name = ".".join(EXAMPLES.get(part, part) for part in pattern.split("."))
    require_allowed(group, name, [])
    for longer in (f"{name}.more", f"{name}.__globals__", f"more.{name}", f"{name} ", f"{name}\n", f"evil{name}"):
        with pytest.raises(RequestError, match="not allowed"):
            require_allowed(group, longer, [])


@pytest.mark.parametrize("target", ["mine.build", "mine.deep.Class"])
def test_an_extension_is_a_whole_package_and_not_the_beginning_of_one(target: str) -> None:
    require_allowed("model", target, ["mine"])
    for extension in ("min", "mine.deep", "mine2", ""):
        with pytest.raises(RequestError, match="not allowed"):
            require_allowed("model", target, [extension])


def test_what_a_module_imported_from_elsewhere_is_no_builder(monkeypatch) -> None:
    import subprocess

    from srexp.data.sources import folder

    monkeypatch.setattr(folder, "Popen", subprocess.Popen, raising=False)
    with pytest.raises(RequestError, match="not allowed"):
        check_section("dataset", {"_target_": "srexp.data.sources.folder.Popen", "args": ["true"]}, [])


CONF = Path(__file__).parents[2] / "conf"
TARGETS = {
    (path.relative_to(CONF).parts[0].removesuffix(".yaml"), found)
    for path in sorted(CONF.rglob("*.yaml"))
    for found in re.findall(r"_target_: (srexp[\w.]+)", path.read_text())
} - {("base", "srexp.experiment.multirun.execution.SweepFolder")}  # Hydra's own callback


@pytest.mark.parametrize(("section", "target"), sorted(TARGETS))
def test_what_presets_name_is_a_builder_of_their_section(section: str, target: str) -> None:
    require_allowed(section, target, [])
    assert locate(section, target).__module__ == target.rpartition(".")[0]


#: Each section's builders by the names that stores of older versions have for them.
OLDER = {
    "augmentation": "augment.Affine augment.Dihedral augment.Plain",
    "degradation": "chain.chain degrade.Bicubic degrade.Identity imaging.Blur imaging.Contrast imaging.Noise "
    "paired.Given",
    "dataset": "chestmnist.ChestMnist folder.Folder montgomery.Montgomery nih_sample.NihSample paired.Paired "
    "samples.Samples",
}
NAMES = [(section, f"srexp.data.{name}") for section, names in OLDER.items() for name in names.split()] + [
    ("promote", "srexp.evaluation.gate.Gate"),
    ("search", "srexp.search.with_keras_tuner.KerasTuner"),
    ("search", "srexp.search.with_optuna.Optuna"),
    ("tracking", "srexp.tracking.start.Tracking"),
]


@pytest.mark.parametrize(("section", "older"), NAMES)
def test_an_older_name_leads_to_a_builder_that_its_section_allows(section: str, older: str) -> None:
    today = current(older)
    require_allowed(section, today, [])
    assert today != older == first(today)
    assert today.rpartition(".")[2] == older.rpartition(".")[2]
    assert locate(section, today).__module__ == today.rpartition(".")[0]


def test_every_older_name_is_tested_and_none_was_taken_out() -> None:
    assert RENAMED.keys() == {older for _, older in NAMES}


def test_a_tree_is_renewed_at_every_depth() -> None:
    tree = {
        "dataset": {"_target_": "srexp.data.folder.Folder", "deep": {"_target_": "srexp.data.imaging.Blur"}},
        "n": 1,
    }
    assert renewed(tree) == {
        "dataset": {
            "_target_": "srexp.data.sources.folder.Folder",
            "deep": {"_target_": "srexp.data.degradation.acquisition.Blur"},
        },
        "n": 1,
    }


@pytest.mark.parametrize("section", ["loss", "optimizer", "schedule"])
def test_a_loss_an_optimizer_and_a_schedule_may_have_a_module_of_their_own(section: str) -> None:
    require_allowed(section, "srexp.training.clipped_sgd.build", [])
