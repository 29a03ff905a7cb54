"""Which files there are, and that none of those they become is another one's."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.data import get_testdata_file

from srexp.errors import RequestError
from srexp.experiment.restoration.jobs import find_jobs

E_ONE, E_TWO = "\u00e9", "e\u0301"


def jobs(tmp_path: Path, *names: str, **options: object) -> list[str]:
    """Make files of these names, `2.tif` of two pages, and list what would be written."""
    for name in names:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".dcm"):
            shutil.copy(get_testdata_file("MR_small.dcm"), path)
        elif name.endswith(".tif"):
            tifffile.imwrite(
                path, np.zeros((2 if path.name == "2.tif" else 1, 5, 6), np.uint8), photometric="minisblack"
            )
        else:
            Image.new("L", (6, 5)).save(path, format="PNG")
    asked = {"format": "same", "compare": False, "spread": False, **options}
    config = SimpleNamespace(input=str(tmp_path / "in"), output=tmp_path / "out", **asked)
    return [output for job in find_jobs(config)[0] for output in job.outputs]


def test_every_file_that_is_written_is_planned(tmp_path: Path) -> None:
    written = jobs(tmp_path, "2.tif", "1.tif", "b/1.dcm", "c.png", format="png", compare=True)
    assert written == [
        *("1.png", "1.png.compare.png", "2_0000.png", "2_0001.png", "2.png.compare.png"),
        *("b/1.png", "b/1.png.compare.png", "c.png", "c.png.compare.png"),
    ]


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (("2.tif", "2_0000.tif"), {"format": "png"}),
        (("2.tif", "2_0001.png"), {"format": "png"}),
        (("2.tif", "2_0000.dcm"), {"format": "jpeg"}),
        (("b.dcm", "b.tif", "b.dcm.png"), {"format": "png"}),
        (("a.png", "a.png.compare.png"), {"compare": True}),
        (("a.dcm", "a.png.compare.png"), {"compare": True, "format": "png"}),
        (("a.png", "a.png.spread.png"), {"spread": True}),
        (("a.png", "A.png"), {}),
        (("a.png", "a.PNG"), {}),
        (("A/b.png", "a/B.png"), {}),
        ((f"{E_ONE}.png", f"{E_TWO}.png"), {}),
        ((f"{E_ONE.upper()}.png", f"{E_TWO}.png"), {}),
        (("stra\u00dfe.png", "STRASSE.png"), {}),
        (("a.dcm", "a.png/b.png"), {"format": "png"}),
        (("a.dcm", "A.PNG/b.png"), {"format": "png"}),
    ],
)
def test_two_that_would_become_one_file_are_refused(tmp_path: Path, names: tuple[str, ...], options: dict) -> None:
    with pytest.raises(RequestError, match="would become the same file") as refused:
        jobs(tmp_path, *names, **options)
    named = [name for name in names if f"{name} " in refused.value.what]
    assert len(named) == 2
    assert not (tmp_path / "out").exists()
    (tmp_path / "in" / named[1]).rename(tmp_path / "in" / f"other{Path(named[1]).suffix}")  # what the message advises
    written = jobs(tmp_path, **options)
    assert Counter(written).most_common(1)[0][1] == 1


def test_files_of_one_name_and_different_kinds_keep_theirs(tmp_path: Path) -> None:
    assert jobs(tmp_path, "b.dcm", "B.tif", format="png") == ["B.tif.png", "b.dcm.png"]


def test_a_name_that_is_the_list_is_refused(tmp_path: Path) -> None:
    jobs(tmp_path, "x.png")
    shutil.copy(tmp_path / "in" / "x.png", tmp_path / "in" / "Enhanced.csv")
    config = SimpleNamespace(
        input=f"{tmp_path}/in/*", output=tmp_path / "out", format="same", compare=False, spread=False
    )
    with pytest.raises(RequestError, match=r"list of what was made and Enhanced\.csv would become the same file"):
        find_jobs(config)


def test_what_can_not_be_opened_has_failed(tmp_path: Path) -> None:
    jobs(tmp_path, "x.png")
    (tmp_path / "in" / "loop.png").symlink_to("loop.png")
    config = SimpleNamespace(
        input=f"{tmp_path}/in", output=tmp_path / "out", format="same", compare=False, spread=False
    )
    planned, outcome = find_jobs(config)
    assert ([job.name for job in planned], list(outcome.failed)) == (["x.png"], ["loop.png"])
    config.input = f"{tmp_path}/in/*.png"
    assert find_jobs(config)[1].failed == outcome.failed
    config.input = f"{tmp_path}/in/loop.png"
    with pytest.raises(RequestError, match="input can't be read: Too many levels"):
        find_jobs(config)
