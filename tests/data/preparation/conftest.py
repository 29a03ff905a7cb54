"""A folder of images of several patients."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.preparation.images import picture


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten images of five patients."""
    for number in range(10):
        picture(tmp_path / "root" / f"p{number // 2}_{number}.png", number)
    return tmp_path / "root"
