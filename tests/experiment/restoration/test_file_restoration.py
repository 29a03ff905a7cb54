"""One file through a model; whole folders are in tests/commands/test_enhance.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import srexp
from srexp.data.restored_image import Origin
from srexp.enhance.tiling import joined
from srexp.experiment.restoration import file_restoration
from srexp.experiment.restoration.file_restoration import chosen_runtime
from srexp.experiment.trained.loaded_model import opened


def test_grey_and_colour_are_enlarged(identity):
    rng = np.random.default_rng(0)
    for channels in (1, 3):
        low = rng.random((6, 9, channels), dtype=np.float32)
        restored = joined(identity.restore(low), 12)
        assert restored.shape == (12, 18, channels)
        inside = identity.interpolate(low, slice(0, 12))[4:-4, 4:-4]
        np.testing.assert_allclose(restored[4:-4, 4:-4], inside, rtol=0, atol=2e-6)


def test_who_made_an_image_depends_on_all_that_decides_it(identity):
    others = [replace(identity, self_ensemble=True), replace(identity, intensity="window")]
    assert len({each.made.identity for each in (identity, *others)}) == 3
    assert replace(identity, memory_mb=64).made.identity == identity.made.identity


def test_a_picture_is_written_beside_when_asked_for(identity, tmp_path):
    Image.fromarray(np.arange(96, dtype=np.uint8).reshape(8, 12)).save(tmp_path / "low.png")
    seen = []
    origin = Origin(tmp_path / "low.png", "png", (0,), "bits")
    identity.restore_file(origin, "png", tmp_path / "high.png", compare="both.png", on_part=seen.append)
    assert seen == [0, 1]
    with Image.open(tmp_path / "high.png") as image:
        assert image.size == (24, 16)
    assert (tmp_path / "both.png").stat().st_size > 0


def test_a_large_image_tells_how_far_it_is_after_each_row_of_tiles(identity, tmp_path):
    """A bar over files stood at 0 % for as long as one large file took."""
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "low.png")
    seen = []
    origin = Origin(tmp_path / "low.png", "png", (0,), "bits")
    replace(identity, tile_pixels=32 * 32 * 4).restore_file(origin, "png", tmp_path / "high.png", on_part=seen.append)
    assert seen[0] == 0
    assert seen[-1] == 1
    assert len(seen) > 2
    assert seen == sorted({*seen})


@pytest.mark.parametrize("scale", [2])
def test_the_model_is_named(identity, scale):
    assert (identity.made.model, identity.made.scale) == ("net.keras", scale)


@pytest.mark.parametrize(("memory_mb", "sides"), [(1536, (64, 300)), (100_000, (512, 512))])
def test_runtimes_are_measured_on_what_memory_has_room_for(memory_mb, sides, tmp_path, monkeypatch):
    """Three runtimes that keep the memory of a large tile left VDSR tiles that were mostly border."""
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    name = "zoo/vdsr-cxr-x2"
    config = srexp.compose([f"model_uri={name}", "input=.", "output=.", f"memory_mb={memory_mb}"], "enhance")
    measured = []
    monkeypatch.setattr(file_restoration, "choose", lambda *_, shape, **__: measured.append(shape))
    chosen_runtime(config, opened(config, name))
    [shape] = measured
    assert all(sides[0] <= side <= sides[1] for side in shape)
