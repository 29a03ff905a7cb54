"""Small images on which other tools went wrong, through every verb that takes images.

A script beside the real images writes them and says in words what is right.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import nibabel
import numpy as np
import pydicom
import pytest
import tifffile

import srexp
from srexp.commands.serve import _served
from srexp.enhance.serving.turns import Turns
from srexp.errors import RequestError, SrexpError
from srexp.experiment.restoration.request_restoration import request_restoration
from srexp.models import bicubic
from tests.enhance.serving.served import answering, ask
from tests.stories.reported_images import CASES, TURNED, Case, Pixels

pytestmark = pytest.mark.realdata

KINDS = ("png", "tiff", "jpeg", "bmp", "dicom")
ALIKE = {".tif": "tiff", ".png": "png", ".jpg": "jpeg", ".dcm": "dicom", ".nii": "nifti", "": "nifti"}


@pytest.fixture(scope="module")
def folder(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images; each must be known here, so that one that is added to the script is seen right, too."""
    script = real_data.parent / "cases" / "images.py"
    if not script.is_file():
        pytest.skip("needs cases/images.py beside the folder of real images, which writes these images")
    images = tmp_path_factory.mktemp("reported")
    assert set(runpy.run_path(str(script))["write"](images)) == set(CASES)
    return images


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))
    monkeypatch.chdir(tmp_path)


def enhance(images: Path, *more: str) -> dict[str, Any]:
    """Restore at x2, and give what the command tells, also where some files failed."""
    try:
        return srexp.run("enhance", ["model_uri=bicubic", f"input={images}", "output=out", "names=true", *more])
    except SrexpError as error:
        if not error.result:
            raise
        return error.result


def seen(case: Case, path: Path, intensity: str) -> list[Pixels]:
    """Give the images as what is restored, (h, w, c) in [0, 1] and a multiple of what its bits tell apart."""
    white = 2**case.bits - 1
    images = []
    for stored in case.pixels(path):
        values = np.atleast_3d(stored).astype(float)
        if intensity == "window" and path.name == "pet_suv.dcm":
            low = 4000 - 0.5 - 7999 / 2  # PS3.3 C.11.2.1.2.1, of values that are half as large as those stored
            values = ((values - 2**15) / 2 - low) / 7999 * white
        if intensity == "percentile":
            low, high = np.percentile(values, (0.5, 99.5))
            values = (values - low) / (high - low) * white if high > low else np.zeros_like(values)
        images.append(np.floor(values.clip(0, white) + 0.5) / white)
    return images


def restored(low: Pixels) -> Pixels:
    channels = np.moveaxis(low, -1, 0)[..., np.newaxis].astype(np.float32)
    return np.moveaxis(np.asarray(bicubic.build(2, 1)(channels))[..., 0], 0, -1).clip(0, 1)


def read(content: bytes, kind: str) -> tuple[list[Pixels], int]:
    """Give the upright images of a file, (h, w, c) in [0, 1], and of how many bits it says they are."""
    if kind == "dicom":
        image = pydicom.dcmread(io.BytesIO(content))
        frames = image.pixel_array.reshape(-1, image.Rows, image.Columns, image.SamplesPerPixel).astype(int)
        whole, bits = list(frames + image.PixelRepresentation * 2 ** (image.BitsStored - 1)), image.BitsStored
        assert image.PhotometricInterpretation in ("MONOCHROME2", "RGB")
    elif kind == "tiff":
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            turns = [TURNED[page.tags.valueof(274, default=1)] for page in file.pages]
            whole = [turn(page.asarray()) for turn, page in zip(turns, file.pages, strict=True)]
            bits = file.pages[0].bitspersample
    elif kind == "nifti":
        volume = np.asarray(nibabel.Nifti1Image.from_stream(io.BytesIO(content)).dataobj)
        whole = [volume[..., each].T[::-1] for each in range(volume.shape[-1])]
        bits = 8 * volume.dtype.itemsize
    else:
        decode = {"png": imagecodecs.png_decode, "jpeg": imagecodecs.jpeg_decode, "bmp": imagecodecs.bmp_decode}[kind]
        whole = [decode(content)]
        bits = 8 * whole[0].dtype.itemsize
        if kind == "jpeg":
            with io.BytesIO(content) as file:
                whole = [upright(file)]
    return [np.atleast_3d(image) / (2**bits - 1) for image in whole], bits


def upright(file: io.BytesIO) -> Pixels:
    from PIL import Image, ImageOps

    with Image.open(file) as image:
        return np.asarray(ImageOps.exif_transpose(image))


def assert_restored(contents: list[bytes], kind: str, lows: list[Pixels]) -> None:
    """Assert that files hold the images at twice their size, to the last level that they tell apart."""
    images = [image for content in contents for image in read(content, kind)[0]]
    bits = read(contents[0], kind)[1]
    assert len(images) == len(lows)
    for image, low in zip(images, lows, strict=True):
        expected = restored(low)
        assert image.shape == expected.shape
        gap = np.abs(image - expected)
        if kind == "jpeg":
            assert gap.mean() < 0.02
        else:
            assert gap.max() <= 1.01 / (2**bits - 1) + 0.001 * (low.shape[-1] > 1)  # edges, see `for_colour`


def unwindowed(name: str) -> bool:
    return name.endswith(".dcm") and name != "pet_suv.dcm"


def reason(result: dict[str, Any]) -> dict[str, str]:
    return {each["file"]: each["reason"] for each in result["failed"]}


def outputs() -> dict[str, list[bytes]]:
    """Give what each file became, as the list beside the results says."""
    with Path("out/enhanced.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["input"]: [Path("out", each["output"]).read_bytes() for each in rows if each["input"] == row["input"]]
        for row in rows
    }


@pytest.mark.parametrize("intensity", ["bits", "window", "percentile"])
@pytest.mark.parametrize("wanted", ["same", *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS)])
def test_all_in_one_command(folder: Path, wanted: str, intensity: str) -> None:
    result = enhance(folder, f"format={wanted}", f"intensity={intensity}")
    failed, made = reason(result), outputs()
    for name, case in CASES.items():
        kind = ALIKE[Path(name).suffix]
        if name == "nifti_without_ending":
            assert name not in {*failed, *result["restored"]}  # no name of an image; it may be named itself
            continue
        target = kind if wanted == "same" else wanted
        no_window = "has no VOI window (0028,1051)" if intensity == "window" and unwindowed(name) else ""
        if refusal := case.failing(target) or no_window:
            assert failed.pop(name).startswith(refusal)
            assert name not in made
            continue
        assert_restored(made[name], target, seen(case, folder / name, intensity))
        if target == kind and intensity == "bits":
            case.told(made[name][0])
        if name == "pet_suv.dcm" and target == "dicom" and intensity != "bits":
            image = pydicom.dcmread(io.BytesIO(made[name][0]))
            assert "RealWorldValueMappingSequence" not in image
            assert "Units" not in image
    assert failed == {}


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", CASES)
def test_alone(folder: Path, name: str) -> None:
    case = CASES[name]
    request = ["model_uri=bicubic", f"input={folder / name}", "output=out", "names=true"]
    if refusal := case.failing(ALIKE[Path(name).suffix]):
        with pytest.raises(RequestError, match=refusal) as refused:
            srexp.run("enhance", request)
        assert refused.value.exit_code == 2
        assert not any(word in str(refused.value) for word in ("Error", "Exception"))
        return
    assert srexp.run("enhance", request)["outputs"] == [name]
    content = Path("out", name).read_bytes()
    assert_restored([content], ALIKE[Path(name).suffix], seen(case, folder / name, "bits"))
    case.told(content)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    restorers, _ = _served(srexp.compose(["model_uri=bicubic", "runtime=keras"], verb="serve"), Turns(1))
    looks = {"/restore": request_restoration(restorers, 10**7)}
    with answering(looks, {}, max_bytes=10**7, spool_bytes=10**8) as number:
        yield number


@pytest.mark.parametrize("name", CASES)
def test_served(folder: Path, port: int, name: str) -> None:
    case, body = CASES[name], (folder / name).read_bytes()
    if said := case.served or case.failing(ALIKE[Path(name).suffix]):
        status, content, _ = ask(port, body)
        assert status == (415 if "take" in said else 422)
        assert said in json.loads(content)["error"]
        return
    lows = seen(case, folder / name, "bits")
    if len(lows) > 1:
        assert ask(port, body)[0] == 422
    for frame, low in enumerate(lows):
        status, content, _ = ask(port, body, path=f"/restore?frame={frame}")
        assert status == 200, content
        assert_restored([content], ALIKE[Path(name).suffix], [low])
        case.told(content)


def digest(low: Pixels, bits: int) -> str:
    """Identify an image by size, depth and values."""
    values = np.rint(low * (2**bits - 1)).astype("<u2" if bits > 8 else "u1")
    return hashlib.sha256(f"{','.join(map(str, values.shape))},{bits}\n".encode() + values.tobytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("intensity", ["bits", "window", "percentile"])
def test_as_a_data_set(folder: Path, intensity: str) -> None:
    request = ["dataset=folder", f"dataset.root={folder}", f"dataset.intensity={intensity}"]
    usable, left_out = list[str](), list[str]()
    for name, case in CASES.items():
        if case.unreadable or case.too_small or (intensity == "window" and unwindowed(name)):
            left_out.append(name)
        elif name != "nifti_without_ending":
            usable += [digest(low, case.bits) for low in seen(case, folder / name, intensity)]
    with pytest.raises(RequestError) as refused:
        srexp.run("evaluate", [*request, "model_uri=nearest"])
    assert [name for name in CASES if name in str(refused.value)] == left_out
    assert all(case.unreadable in str(refused.value) for case in CASES.values())
    more = ["dataset.on_error=skip", "hydra.run.dir=run", "tracking.max_images=0"]
    result = srexp.run("evaluate", [*request, *more, "model_uri=nearest"])
    with Path("run/test.csv").open(newline="") as file:
        assert sorted(row["sha256"] for row in csv.DictReader(file)) == sorted(usable)
    assert result["test"]["n_images"] == len(usable)
    told = srexp.run("data", [*request, *more, "trainer.patch_size=16"])
    assert told["images"] == len(usable)
    assert sum(sum(each["bits"].values()) for each in told["splits"].values()) == len(usable)
