"""What is said of a folder that nobody has described yet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from srexp.errors import RequestError
from srexp.experiment.new_data.inventory import Inventory, inventory


def test_sizes_depths_names_and_what_can_not_be_read(tmp_path):
    for number in range(3):
        Image.fromarray(np.zeros((20 + number, 30), np.uint8)).save(tmp_path / f"{number:04}_00.png")
    Image.fromarray(np.zeros((60, 50, 3), np.uint8)).save(tmp_path / "colour.png")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "deep.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "colour.png").read_bytes()[:60])
    (tmp_path / "notes.jpg").write_text("no image")
    told = []

    found = inventory(str(tmp_path), lambda *progress: told.append(progress))

    assert (found.sizes[0], found.sizes[-1]) == ((8, 8), (60, 50))
    assert (found.bits, found.colour) == ({8: 4, 16: 1}, 1)
    assert found.names.most_common(1) == [("####_##.png", 3)]
    assert set(found.unreadable) == {"broken.png", "notes.jpg"}
    assert "is no PNG" in found.unreadable["notes.jpg"]
    assert told[-1] == (7, 7)
    assert found.patients(None) == 5


def test_floating_point_images_are_read_stretched(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.linspace(0, 3, 64, dtype=np.float32).reshape(8, 8))
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "b.png")

    found = inventory(str(tmp_path))

    assert (found.intensity, found.unreadable, len(found.sizes)) == ("percentile", {}, 2)


def test_a_folder_without_a_readable_image_is_refused(tmp_path):
    with pytest.raises(RequestError, match="holds no image"):
        inventory(str(tmp_path))
    (tmp_path / "notes.png").write_text("no image")
    with pytest.raises(RequestError, match=r"can be read: notes\.png is no PNG"):
        inventory(str(tmp_path))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([f"{patient:08}_{image:03}.png" for patient in range(3) for image in range(2)], r"^(\d+)[^\d.]"),
        ([f"case{patient}-{image}.png" for patient in range(3) for image in "ab"], r"^([A-Za-z]+[-_]?\d+)[^\d.]"),
        ([f"{patient}_{image}.png" for patient in "xyz" for image in "ab"], r"^(.+?)[-_]"),
        ([f"{patient}/{image}.png" for patient in "xyz" for image in "ab"], r"([^/]+)/[^/]+$"),
        ([f"{patient:08}_000.png" for patient in range(3)], r"^(\d+)[^\d.]"),  # which hurts nobody
        ([f"{image:03}.png" for image in range(6)], None),  # a number for each image
        (["a_1.png", "a_2.png", "b_1.png"], None),  # fewer patients than splits
        (["a_1.png", "b_1.png", "c_1.png", "d_1.png"], None),  # one image each
    ],
)
def test_names_suggest_whose_image_it_is(names, expected):
    found = Inventory(Path(), {name: Path(name) for name in names}, len(names))

    assert found.suggestion == expected
