"""What is written of real DICOM files, read again by srexp, dcmtk's dcmdump and dicom3tools' dciodvfy."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file, get_testdata_files

from srexp.data.formats.registry import frames_in, read_image
from srexp.data.formats.signatures import kind_of
from srexp.data.image import UnreadableImageError
from tests.data.dicom.rewriting import quietly_read, through

DCMDUMP, DCIODVFY = shutil.which("dcmdump"), shutil.which("dciodvfy")
# What dciodvfy can't read to the end, so that it can't tell what is wrong with it.
UNREADABLE = ("not valid DICOM", "Dicom dataset read failed")

REAL = (
    *("MR_small.dcm", "CT_small.dcm", "MR_small_bigendian.dcm", "JPEG2000.dcm", "image_dfl.dcm", "JPGExtended.dcm"),
    *("examples_palette.dcm", "SC_rgb_rle_2frame.dcm", "emri_small.dcm", "examples_ybr_color.dcm"),
)
LARGE = ("examples_palette.dcm", "examples_ybr_color.dcm")


@pytest.mark.parametrize("name", [pytest.param(each, marks=pytest.mark.slow if each in LARGE else []) for each in REAL])
def test_real_files_come_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    shutil.copy(get_testdata_file(name), path)
    same = through(path)
    for frame in frames_in(path):
        before, after = read_image(path, frame), read_image(same, frame)
        if before.bits == after.bits:
            np.testing.assert_array_equal(after.pixels, before.pixels)
        else:  # a palette with entries of 16 bits became colours of 8
            assert (before.bits, after.bits) == (16, 8)
            assert after.to_float() == pytest.approx(before.to_float(), abs=0.51 / 255)
    quietly_read(through(path, scale=2))


@pytest.mark.skipif(DCMDUMP is None, reason="no dcmtk on this machine; .ci/run installs it")
@pytest.mark.parametrize("name", REAL)
def test_dcmdump_reads_them_without_complaint(tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(get_testdata_file(name), tmp_path))
    done = subprocess.run([str(DCMDUMP), through(path, scale=2)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def faults(path: Path) -> Counter[str]:
    done = subprocess.run([str(DCIODVFY), path], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode(errors="replace").splitlines()
    return Counter(line for line in lines if line.startswith("Error"))


def real_files() -> list[Path]:
    found = [Path(name) for name in get_testdata_files() if Path(name).is_file()]
    if folder := os.environ.get("SREXP_TEST_DATA"):
        found += Path(folder).rglob("*.dcm")
    return sorted({path.resolve() for path in found if path.stat().st_size < 8_000_000})


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(DCIODVFY is None, reason="no dicom3tools on this machine; .ci/run installs it")
@pytest.mark.parametrize(("intensity", "first", "of"), [("bits", 0, 1), ("window", 0, 2), ("percentile", 1, 2)])
def test_dciodvfy_finds_no_error_that_the_original_had_not(
    tmp_path: Path, intensity: str, *, first: int, of: int
) -> None:
    """All files as they are stored; of the two other readings each file has one."""
    compared, worse = 0, {}
    for number, path in enumerate(real_files()[first::of]):
        copied = tmp_path / f"{number}.dcm"
        shutil.copy(path, copied)
        try:
            if kind_of(copied) != "dicom" or len(frames_in(copied)) > 20:
                continue
            made = through(copied, scale=2, intensity=intensity)
        except UnreadableImageError:
            continue
        before = faults(path)
        if not any(words in line for line in before for words in UNREADABLE):
            compared += 1
            if new := faults(made) - before:
                worse[path.name] = new
    assert worse == {}
    assert compared > 50 / of
