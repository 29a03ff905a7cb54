"""The architecture holds: parts are strangers to each other, and importing one costs no TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ["keras", "keras_tuner", "matplotlib", "mlflow", "optuna", "plotly", "tensorboard", "tensorflow"]

#: Modules that need one of them in order to be defined; commands import these late.
LATE = {
    "srexp.search.keras_tuner.oracles": "they are Keras Tuner's oracles",
    "srexp.search.keras_tuner.remote_oracle": "it speaks Keras Tuner's protocol",
    "srexp.search.optuna.study": "it is one of Optuna's studies",
    "srexp.training.callbacks": "its classes are Keras callbacks",
    "srexp.training.clipped_sgd": "it is a Keras optimizer",
    "srexp.training.courses.duel": "what takes its steps is a Keras model",
    "srexp.training.progress": "the progress bar is a Keras callback",
}

# Imports every module while the heavy ones are out of reach, and prints which modules could not do without.
IMPORT_ALL = f"""
import importlib, json, pkgutil, sys
sys.modules.update(dict.fromkeys({HEAVY}))
import srexp
names = [module.name for module in pkgutil.walk_packages(srexp.__path__, "srexp.") if module.name != "srexp.__main__"]
failed = {{}}
for name in names:
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed[name] = str(error)
print(json.dumps({{"names": names, "failed": failed}}))
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, dict[str, str]]:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_parts_import_no_sibling():
    # In a process of its own: Import Linter turns off all loggers that exist.
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_every_part_has_modules(imported):
    parts = {name.split(".")[1] for name in imported["names"]}

    assert parts >= {"commands", "config", "data", "enhance", "evaluation", "metrics", "models", "tracking", "training"}


def test_importing_a_module_imports_nothing_heavy(imported):
    needing = {name: why for name, why in imported["failed"].items() if name not in LATE}

    assert needing == {}


def test_the_late_modules_are_late_for_a_reason(imported):
    assert set(LATE) <= set(imported["failed"])


def test_the_models_package_is_as_small_as_its_signatures():
    """`check` reads a builder's signature from its module; that must not bring in more than NumPy."""
    listing = (
        "import sys, srexp.models.srcnn, srexp.models.vdsr, srexp.training.optimizers, srexp.training.schedules\n"
        f"print([name for name in {[*HEAVY, 'scipy', 'skimage']} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
