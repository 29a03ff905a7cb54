"""Registered models as the verb lists them."""

from __future__ import annotations

import time

import pytest

from srexp.commands.models import _row
from srexp.tracking.registry.catalog import Version


def version(**tags: str) -> Version:
    return Version("task", 3, ("champion",), int(1000 * (time.time() - 60)), "run", tags, moving=False)


def test_tags_are_read_as_what_they_were() -> None:
    tags = {"test_psnr": "31.5", "test_images": "7", "protocol": '{"shave": 2}', "degenerate": "false"}
    row = _row(version(**tags, **{"promotion.forced": "true"}))
    assert (row["psnr"], row["n_images"], row["protocol"]) == (31.5, 7, {"shave": 2})
    assert (row["degenerate"], row["forced"]) == (False, True)
    assert row["age_seconds"] == pytest.approx(60, abs=5)


def test_tags_of_another_program_are_no_failure() -> None:
    row = _row(version(test_psnr="good", test_images="some", protocol="[1]", degenerate="perhaps"))
    assert [row[key] for key in ("psnr", "n_images", "protocol", "degenerate", "ssim")] == [None] * 5
