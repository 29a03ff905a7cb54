"""`check` refuses what a builder, the registry or the store would refuse, in their words and without TensorFlow."""

from __future__ import annotations

import ast
import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import srexp
from srexp.config import builders
from srexp.errors import SrexpError
from srexp.experiment import task
from srexp.tracking.store.failures import deleted_experiment, require_not_deleted
from srexp.tracking.store.store import connect, resolve
from tests.networks import MODELS

ROOT = Path(srexp.__file__).parent

TOGETHER = ["trainer.strategy=multi_worker"]
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
    "trainer.validation_size is too small to be scored at scale=8": ["trainer.validation_size=16", "scale=8"],
    "trainer.test_size is too small to be scored at scale=2": ["trainer.test_size=16", "protocol.shave=9"],
    "model=hybrid can't serve several scales": ["model=hybrid", "scale=[2,3]"],
    "model=bicubic can't serve several scales": ["model=bicubic", "scale=[2,3]"],
    "seed=4294967296": ["seed=4294967296"],
    "seed=-1": ["seed=-1"],
    "no registered model can have this name": ["experiment_name=a/b"],
    "run_name can't be stored": [f"run_name={'x' * 251}"],
    "tags has a key that MLflow doesn't take": ["+tags={a+b:c}"],
    "tags has a key that MLflow and srexp keep": ["+tags={mlflow.user:ann}"],
    "trainer.max_minutes doesn't go with trainer.strategy=multi_worker": [*TOGETHER, "trainer.max_minutes=5"],
    "trainer.batch_size doesn't go with trainer.strategy=multi_worker": [*TOGETHER, "trainer.batch_size=auto"],
    "trainer.strategy doesn't go with training=adversarial\n  got:      'multi_worker'": [
        *TOGETHER,
        "training=adversarial",
    ],
    "trainer.strategy=multi_worker isn't told which processes train together": TOGETHER,
    "trainer.max_minutes=inf": ["trainer.max_minutes=inf"],
    "degradation noise: photons is out of range": ["degradation=noise", "degradation.photons=-1"],
    "degradation xray has no steps": ["degradation=xray", "~degradation.steps", "+degradation.steps={}"],
    "degradation.steps.fog does not exist": ["degradation=xray", "+degradation.steps.fog={}"],
    "degradation.steps.blur.fog does not exist": ["degradation=xray", "+degradation.steps.blur.fog=1"],
    "degradation=identity has no such scale": ["degradation=identity", "scale=2"],
    "protocol.colour is for luminance only": ["protocol.colour=true"],
    "protocol.lpips can't be read": ["protocol.lpips=/no/such/lpips.npz"],
    "scale is a list": ["scale=[]"],
    "scale and trainer.scales disagree": ["model=vdsr", "scale=[2,3]", "trainer.scales=[2,4]"],
    "trainer.scales and scale don't fit together": ["model=vdsr", "trainer.scales=[2,3]", "scale=4"],
    "experiment_name doesn't say the scale": ["model=vdsr", "scale=[2,3]", "experiment_name=x"],
    "dataset.limit is not positive": ["dataset.limit=0"],
    "tracking.uri is not an address of an MLflow store": ["tracking.uri=htp://host"],
    "tracking.uri is a database in memory, which ends with the process": ["tracking.uri='sqlite:///:memory:'"],
    "tracking.uri leads to a path with '%20' in it, which MLflow can't hold": ["tracking.uri='sqlite:////a%2520b.db'"],
    "tracking.artifacts has a secret in it": ["tracking.artifacts='s3://ann:word@host/folder'"],
    "tracking.artifacts leads to a path with '%20' in it, which MLflow can't hold": ["tracking.artifacts='/a%20b'"],
}
#: Three processes, of which this one is the first.
CLUSTER = '{"cluster": {"worker": ["a:1", "b:1", "c:1"]}, "task": {"type": "worker", "index": 0}}'
#: Refusals in the same files that no override brings about, and why.
OTHERS = {
    "there are no images to train on": "of the images",
    "* of * training images are smaller than a patch, * the smallest": "of the images",
    "* is smaller than scale=*": "of an image",
    "resize takes one image": "of a call from Python",
    "resize has no scale": "of a call from Python; the schema refuses such a scale",
    "degradation=given makes no low-resolution images": "of a call from Python; dataset and degradation must fit",
    "the restored image and the target of * differ in size": "of an image",
    "* is too small to be scored": "of an image; crops are refused by trainer.validation_size and trainer.test_size",
    "* of * images are too small to be scored: *": "of the images; tests/data/sources/test_refused_by_check.py",
    "trainer.batch_size can't be divided among * devices": "of the devices, which TensorFlow alone knows",
    "trainer.batch_size can't be divided among * processes": "of TF_CONFIG; see below",
    "* doesn't say which processes train together, and which of them this one is": "of TF_CONFIG; see below",
    "trainer.strategy=multi_worker is for several processes": "of TF_CONFIG; see below",
    "the processes of this training were asked for different things": "of other processes",
    "each process of trainer.strategy=multi_worker takes one GPU": "of the GPUs",
    "a paired data set has one scale, that of its files": "of the data set",
    "the validation images have nothing to restore, so the best epoch can't be chosen by them": "of the images",
    "training=adversarial can't be searched: trials are put in order by validation PSNR, which it lowers": "search's",
}


def told(work) -> str:
    with pytest.raises(SrexpError) as refusal:
        work()
    return str(refusal.value)


@pytest.mark.one_in(6)
@pytest.mark.parametrize("said", REFUSED)
def test_check_refuses_in_the_words_of_training(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    checked = told(lambda: srexp.run("check", REFUSED[said]))
    assert checked.startswith(said)
    assert told(lambda: task.Task(srexp.compose(REFUSED[said]))) == checked


@pytest.mark.parametrize(
    ("tf_config", "typed", "said"),
    [
        ('{"cluster": {}}', [], "TF_CONFIG doesn't say which processes train together"),
        (CLUSTER.replace('"b:1", "c:1"', ""), [], "TF_CONFIG doesn't say which processes train together"),
        (CLUSTER.replace(', "b:1", "c:1"', ""), [], "trainer.strategy=multi_worker is for several processes"),
        (CLUSTER, [], "trainer.batch_size can't be divided among 3 processes"),
        (CLUSTER, ["training=adversarial", "training.weight=0"], "training doesn't go with"),
    ],
)
def test_check_knows_what_processes_there_are(tf_config, typed, said, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    monkeypatch.setenv("TF_CONFIG", tf_config)
    checked = told(lambda: srexp.run("check", [*TOGETHER, *typed]))
    assert checked.startswith(said)
    assert told(lambda: srexp.run("train", [*TOGETHER, *typed])) == checked


def test_a_search_and_a_multirun_are_no_training_of_several_processes(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    monkeypatch.setenv("TF_CONFIG", CLUSTER)
    searched = told(lambda: srexp.run("search", [*TOGETHER, "+sweeps=srcnn_tpe"]))
    assert searched.startswith("a search doesn't go with trainer.strategy=multi_worker")
    assert told(lambda: srexp.run("check", [*TOGETHER, "+sweeps=srcnn_tpe"])) == searched
    config = dataclasses.replace(srexp.compose(TOGETHER), sweep=tmp_path)
    assert told(lambda: task.builders(config)).startswith("-m doesn't go with trainer.strategy=multi_worker")


def test_check_looks_for_the_weights_that_a_training_begins_from(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    asked = ["trainer.start=models:/nobody@candidate"]
    assert told(lambda: srexp.run("check", asked)).startswith("there is no such model in the store")
    assert told(lambda: srexp.run("train", asked)) == told(lambda: srexp.run("check", asked))


@pytest.mark.parametrize("folder", ["plain", "a b?c#d"])
def test_check_knows_of_a_deleted_experiment_without_mlflow(folder, tmp_path, monkeypatch, made_store) -> None:
    root = tmp_path / folder / "mlruns"
    root.mkdir(parents=True)
    shutil.copy(made_store, root / "mlflow.db")
    monkeypatch.setenv("SREXP_ROOT", str(root.parent))
    client = connect(resolve(None, root, environ={}))
    client.delete_experiment(client.create_experiment("task"))
    checked = told(lambda: srexp.run("check", ["experiment_name=task"]))
    assert checked.startswith("the MLflow experiment of this task was deleted and still holds its name")
    assert "mlflow experiments restore --experiment-id" in checked
    assert told(lambda: srexp.run("train", ["experiment_name=task"])) == checked
    store = resolve(None, root, environ={})
    assert str(deleted_experiment(client, "task")) == checked
    require_not_deleted(store.uri, "another")


DATABASES = {
    "short": lambda file, whole: file.write_bytes(b"no database"),
    "garbage": lambda file, whole: file.write_bytes(b"no database" * 500),
    "half": lambda file, whole: file.write_bytes(whole[: len(whole) // 2]),
    "folder": lambda file, whole: file.mkdir(),
}


@pytest.mark.parametrize("kind", DATABASES)
def test_check_knows_of_a_damaged_database_without_mlflow(kind, tmp_path, monkeypatch, made_store) -> None:
    file = tmp_path / "mlruns" / "mlflow.db"
    file.parent.mkdir()
    DATABASES[kind](file, made_store.read_bytes())
    before = file.read_bytes() if file.is_file() else None
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    checked = told(lambda: srexp.run("check", []))
    assert checked.startswith("the tracking store can't be opened: ")
    assert ("bring back a copy of it" in checked) == (kind != "folder")
    assert told(lambda: srexp.run("models", [])) == checked
    assert before == (file.read_bytes() if file.is_file() else None)


@pytest.mark.one_in(6)
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
    """Give what builders, store and registry say of what they are given for a training, with * for what it was."""
    found = set()
    for path in [
        *({*(ROOT / "models").glob("*.py")} - {ROOT / "models" / "foreign_weights.py"}),  # those refusals are `adopt`'s
        *(ROOT / "training").rglob("*.py"),
        *(path for part in ("degradation", "batches") for path in (ROOT / "data" / part).glob("*.py")),
        *(ROOT / f"tracking/{name}.py" for name in ("names", "store/locations", "store/store")),
        *(ROOT / f"{name}.py" for name in ("config/scales", "metrics/protocol", "data/sources/limit")),
        *(ROOT / f"experiment/{name}.py" for name in ("preflight", "task")),
    ]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RequestError":
                text = node.args[0]
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                found.add("".join(each.value if isinstance(each, ast.Constant) else "*" for each in parts))
    return found


def test_every_refusal_of_a_builder_is_tried() -> None:
    import fnmatch

    for pattern in arguments_refused() - OTHERS.keys():
        assert any(fnmatch.fnmatch(said, f"{pattern}*") or pattern.startswith(said) for said in REFUSED), pattern
    assert OTHERS.keys() <= arguments_refused()


@pytest.mark.slow
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
