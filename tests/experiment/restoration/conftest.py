"""A model without effect, ready to restore, and a folder to restore."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from srexp.experiment.restoration.file_restoration import Restorer
from srexp.experiment.trained.loaded_model import Opened
from srexp.models import bicubic
from srexp.tracking.registry.models import Loaded
from srexp.tracking.store.addresses import Found


@pytest.fixture(scope="session")
def identity():
    """Bicubic interpolation at x2, as a model that was loaded."""
    loaded = Loaded(bicubic.build(2, 1), Found("net.keras", path=Path("net.keras")), sha256="0")
    return Restorer(Opened(loaded, 2, 1, "bits", "grey"), "bits", self_ensemble=False, memory_mb=1024)


@pytest.fixture
def asked(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("a.png", "deep/b.png"):
        Image.fromarray(np.arange(96, dtype=np.uint8).reshape(8, 12)).save(tmp_path / "in" / name)
    (tmp_path / "in" / "c.png").write_text("no image")
    output = tmp_path / "out"
    return SimpleNamespace(
        input=str(tmp_path / "in"),
        output=output,
        format="same",
        overwrite=False,
        compare=False,
        spread=False,
        check=False,
        check_levels=1.0,
        check_percent=6.0,
        self_ensemble=False,
    )
