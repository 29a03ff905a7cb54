"""A model without effect, ready to restore."""

from pathlib import Path

import pytest

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
