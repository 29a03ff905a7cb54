"""A sound data set to spoil."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.audit.images import Folder, picture


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Twelve sound images of twelve patients."""
    made = Folder(tmp_path)
    for number, split in enumerate(["train"] * 4 + ["validation"] * 2 + ["test"] * 6):
        made.add(split, picture(number))
    return made
