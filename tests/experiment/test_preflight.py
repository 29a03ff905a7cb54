"""`check` refuses what a builder, the registry or the store would refuse, in their words and without TensorFlow."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import srexp
from srexp.config import builders
from srexp.errors import SrexpError
from srexp.experiment import task
from tests.networks import MODELS

ROOT = Path(srexp.__file__).parent

#: What is typed, by the start of what is said; every refusal of arguments by a builder is here, see below.
REFUSED = {
    "model.kernels doesn't describe SRCNN": ["model.kernels=[9,5]"],
    "model.filters doesn't describe SRCNN": ["model.filters=[64]"],
    "model.depth is too small": ["model=vdsr", "model.depth=1"],
    "model.width cannot be built": ["model=vdsr", "model.width=63"],
    "model.wide cannot be built": ["model=hybrid", "model.wide=3"],
    "model.blocks is too small": ["model=hybrid", "model.blocks=0"],
    "model.width can't be divided among the groups": ["model=subband", "model.groups=3"],
    "model.filters doesn't describe ESPCN": ["model=espcn", "model.filters=[64]"],
    "model.width leaves no feature for detail": ["model=etds", "model.width=1"],
    "scale is too large for model=fsrcnn": ["model=fsrcnn", "scale=6"],
    "optimizer.lr is out of range": ["optimizer.lr=-1"],
    "optimizer.clip_norm is out of range": ["optimizer.clip_norm=0"],
    "optimizer.theta is out of range": ["optimizer=sgd", "optimizer.theta=-1"],
    "optimizer.momentum is out of range": ["optimizer=sgd", "optimizer.momentum=1"],
    "optimizer.beta_1 is out of range": ["optimizer.beta_1=1.5"],
    "optimizer.beta_2 is out of range": ["optimizer=adamw", "optimizer.beta_2=-0.1"],
    "optimizer.epsilon is out of range": ["optimizer.epsilon=0"],
    "optimizer.weight_decay is out of range": ["optimizer=adamw", "optimizer.weight_decay=-1"],
    "optimizer.lr=inf": ["optimizer.lr=inf"],
    "optimizer.lr=nan": ["optimizer.lr=nan"],
    "loss.epsilon is out of range": ["loss=charbonnier", "loss.epsilon=0"],
    "training.weight is out of range": ["training=adversarial", "training.weight=-1"],
    "training.pixel_share is out of range": ["training=adversarial", "training.pixel_share=1"],
    "training.blend is out of range": ["training=adversarial", "training.blend=0"],
    "training.width is out of range": ["training=adversarial", "training.width=0"],
    "training.discriminator_lr is out of range": ["training=adversarial", "training.discriminator_lr=0"],
    "trainer.patience doesn't go with training=adversarial": ["training=adversarial", "trainer.patience=3"],
    "trainer.epochs doesn't go with training=adversarial": ["training=adversarial", "trainer.epochs=1"],
    "trainer.strategy doesn't go with training=adversarial": ["training=adversarial", "trainer.strategy=mirrored"],
    "schedule.final_fraction isn't a fraction": ["schedule.final_fraction=2"],
    "schedule.milestones lie outside the training": ["schedule=step", "schedule.milestones=[1.5]"],
    "schedule.decay doesn't lower the rate": ["schedule=step", "schedule.decay=0"],
    "schedule.warmup_steps is negative": ["schedule=constant", "schedule.warmup_steps=-1"],
    "protocol.shave is negative": ["protocol.shave=-1"],
    "augmentation.zoom is out of range": ["augmentation=paper", "augmentation.zoom=9"],
    "tracking.flush_seconds=0": ["tracking.flush_seconds=0"],
    "tracking.max_images=-1": ["tracking.max_images=-1"],
    "dataset and degradation don't fit together": ["degradation=given"],
    "trainer.patch_size is no multiple": ["trainer.patch_size=47"],
    "trainer.patches_per_image does not divide": ["trainer.patches_per_image=3"],
    "trainer.validation_size is too small": ["trainer.validation_size=16", "scale=8"],
    "trainer.test_size is too small": ["trainer.test_size=16", "protocol.shave=9"],
    "model=hybrid can't serve several scales": ["model=hybrid", "scale=[2,3]"],
    "model=bicubic can't serve several scales": ["model=bicubic", "scale=[2,3]"],
    "seed=4294967296": ["seed=4294967296"],
    "seed=-1": ["seed=-1"],
    "no registered model can have this name": ["experiment_name=a/b"],
    "run_name can't be stored": [f"run_name={'x' * 251}"],
    "tags has a key that MLflow doesn't take": ["+tags={a+b:c}"],
    "trainer.strategy='multi_worker': several machines can't train": ["trainer.strategy=multi_worker"],
    "trainer.max_minutes=inf": ["trainer.max_minutes=inf"],
}


def told(work) -> str:
    with pytest.raises(SrexpError) as refusal:
        work()
    return str(refusal.value)


@pytest.mark.parametrize("said", REFUSED)
def test_check_refuses_in_the_words_of_training(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    checked = told(lambda: srexp.run("check", REFUSED[said]))
    assert checked.startswith(said)
    assert told(lambda: task.Task(srexp.compose(REFUSED[said]))) == checked


def test_check_looks_for_the_weights_that_a_training_begins_from(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    asked = ["trainer.start=models:/nobody@candidate"]
    assert told(lambda: srexp.run("check", asked)).startswith("there is no such model in the store")
    assert told(lambda: srexp.run("train", asked)) == told(lambda: srexp.run("check", asked))


@pytest.mark.parametrize(
    ("said", "group"),
    [
        (said, group)
        for said in REFUSED
        for group in ("model", "loss", "training", "optimizer", "schedule")
        if said.startswith(f"{group}.")
    ],
)
def test_a_builder_says_the_same_when_it_builds(said: str, group: str) -> None:
    try:
        section = getattr(srexp.compose(REFUSED[said]), group)
    except SrexpError:
        return  # the type of its argument doesn't allow it
    checked = told(lambda: builders.check_arguments(section, scale=2, channels=1))
    assert told(lambda: builders.build(section, scale=2, channels=1)) == checked


def arguments_refused() -> set[str]:
    """Give the beginnings of what builders of networks, losses, optimizers and schedules say of their arguments."""
    found = set()
    for path in [
        *({*(ROOT / "models").glob("*.py")} - {ROOT / "models" / "foreign_weights.py"}),  # those refusals are `adopt`'s
        *(ROOT / "training" / f"{name}.py" for name in ("losses", "optimizers", "schedules", "courses/adversarial")),
    ]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RequestError":
                text = node.args[0]
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                found.add("".join(each.value if isinstance(each, ast.Constant) else "*" for each in parts))
    return found


def test_every_refusal_of_a_builder_is_tried() -> None:
    import fnmatch

    for pattern in arguments_refused():
        assert any(fnmatch.fnmatch(said, pattern) or pattern.startswith(said) for said in REFUSED), pattern


def test_nothing_heavy_is_imported_to_check_arguments() -> None:
    choices = [*(f"model={model}" for model in MODELS), *(f"optimizer={name}" for name in ("adam", "adamw", "sgd"))]
    code = (
        "import srexp, sys\n"
        "from srexp.config.builders import check_arguments\n"
        f"for choice in {choices}:\n"
        "    config = srexp.compose([choice, 'loss=charbonnier', 'schedule=step', 'training=adversarial'])\n"
        "    for each in (config.model, config.optimizer, config.loss, config.schedule, config.training):\n"
        "        check_arguments(each, scale=2, channels=1)\n"
        "print([name for name in ('tensorflow', 'keras', 'mlflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
