"""Every real file loads as its manifest says, or is refused with a reason; never wrong pixels, never a traceback."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest

from srexp.data.dicom.codecs import register
from srexp.data.formats.registry import frames_in, read_image
from srexp.data.image import Stored, UnreadableImageError
from srexp.data.preparation.prepare import prepare
from srexp.data.preparation.request import Preparation
from srexp.data.sources.folder import Folder
from srexp.errors import RequestError
from srexp.system.masking.pseudonyms import named

pytestmark = pytest.mark.realdata

# What pydicom's own decoders fail on and libjpeg-turbo reads: the scan header of this 12-bit JPEG is out of order.
MORE_THAN_PYDICOM = {"odd/RG2_JPLY.dcm"}
# What pydicom decodes and srexp refuses, and why.
REFUSED = {
    "odd/SC_rgb_32bit.dcm": "32 bits",
    "odd/rtdose.dcm": "RT dose grid",
    "odd/liver_1frame.dcm": "segmentation",
    "odd/TOSHIBA_J2K_SIZ1_PixRep0.dcm": "contradicts itself",
}
# Each frame is an image: some of these 140 are damaged, which pydicom says of the file as a whole.
PARTLY = {"odd/multiframe.dcm": 117}


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "MANIFEST.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def by_hand(path: Path, frame: int) -> tuple[np.ndarray, int, np.ndarray]:
    """Bring pydicom's own values to 0..2**bits-1, white on top; and tell which pixels are padding."""
    register()  # where pydicom itself has no decoder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = pydicom.dcmread(path)
        raw = values = pydicom.pixels.pixel_array(data, index=frame)
        if data.PhotometricInterpretation == "PALETTE COLOR":
            colours = pydicom.pixels.apply_color_lut(values, data)
            return colours, 8 * colours.itemsize, np.zeros(raw.shape, bool)
        if data.get("ModalityLUTSequence"):
            bits = data.ModalityLUTSequence[0].LUTDescriptor[2]
            data.ModalityLUTSequence[0].LUTDescriptor[2] = 16  # pydicom has no array type for odd depths
            values = pydicom.pixels.apply_modality_lut(values, data).astype(int)
        else:
            bits = data.BitsStored
            values = values.astype(int) + (2 ** (bits - 1) if data.PixelRepresentation else 0)
            if float(data.get("RescaleSlope") or 1) < 0:
                values = 2**bits - 1 - values
        first = data.get("PixelPaddingValue")
        last = data.get("PixelPaddingRangeLimit", first)
    padding = np.zeros(raw.shape, bool) if first is None else (raw >= min(first, last)) & (raw <= max(first, last))
    return (2**bits - 1 - values if data.PhotometricInterpretation == "MONOCHROME1" else values), bits, padding


def check(path: Path, frame: int, image: Stored) -> None:
    expected, bits, padding = by_hand(path, frame)
    assert image.bits == bits
    difference = np.abs(image.pixels.squeeze().astype(int) - expected)
    # Decoders of lossy JPEG may round differently; everything else is exact.
    assert difference[~padding].max(initial=0) <= (5 if image.lossy else 0)
    if padding.any():
        assert (image.pixels[..., 0][padding] == image.pixels[..., 0][~padding].min()).all()


def test_every_dicom_file_loads_as_its_manifest_says_or_is_refused(real_data: Path) -> None:
    rows = [row for row in manifest(real_data / "other") if row["file"].endswith(".dcm")]
    assert len(rows) > 80
    for row in rows:
        name, path = row["file"], real_data / "other" / row["file"]
        if name in PARTLY:
            continue
        if name in REFUSED or (not row["decode"].startswith("ok") and name not in MORE_THAN_PYDICOM):
            with pytest.raises(UnreadableImageError) as caught:
                read_image(path)
            assert REFUSED.get(name, "") in caught.value.reason
            assert "\n" not in caught.value.reason
            continue
        assert len(frames_in(path)) == int(row["frames"])
        image = read_image(path)
        assert image.pixels.shape[:2] == (int(row["height"]), int(row["width"])), name
        if name not in MORE_THAN_PYDICOM:
            check(path, 0, image)


def test_frames_that_are_damaged_are_refused_one_by_one(real_data: Path) -> None:
    for name, sound in PARTLY.items():
        path, reasons = real_data / "other" / name, []
        for frame in frames_in(path):
            try:
                read_image(path, frame)
            except UnreadableImageError as error:
                reasons.append(error.reason)
        assert all("has a compressed frame of" in reason for reason in reasons)
        assert len(frames_in(path)) - len(reasons) == sound


def test_one_slice_in_eight_transfer_syntaxes_is_one_image(real_data: Path) -> None:
    images = [read_image(path) for path in sorted((real_data / "other" / "ct").glob("CTImage*.dcm"))]
    assert len(images) == 8 - 1
    assert len({image.digest() for image in images}) == 1


def test_jpeg_with_a_scan_header_out_of_order_is_that_of_its_mended_copy(real_data: Path) -> None:
    odd, mended = (real_data / "other" / name for name in ("odd/RG2_JPLY.dcm", "xray/RG2_JPLY_fixed.dcm"))
    assert read_image(odd).digest() == read_image(mended).digest()


def test_chest_radiographs_load_as_their_manifest_says(real_data: Path) -> None:
    for row in manifest(real_data / "cxr"):
        path = real_data / "cxr" / row["file"]
        if row["format"] != "PNG":
            image = read_image(path)
            check(path, 0, image)
        elif row["mode"] == "RGBA" or row["split"] == "test":
            image = read_image(path)
            assert image.pixels.shape[-1] == (3 if row["mode"] == "RGBA" else 1)
        else:
            continue
        assert image.pixels.shape[:2] == (int(row["height"]), int(row["width"]))
        assert image.bits == int(row["bit_depth"].split()[0])
        assert image.lossy is ("JPEG Baseline" in row["format"])


def test_patients_of_nih_are_divided_without_overlap(real_data: Path) -> None:
    source = Folder("nih", str(real_data / "cxr"), patients="MANIFEST.csv")
    assert len({item.patient for item in source.items()}) < len(source.items())
    named = {f"{row['patient']}" for row in manifest(real_data / "cxr")}
    assert {item.patient for item in source.items()} <= named


def test_folder_of_odd_files_names_every_one_that_is_refused(real_data: Path) -> None:
    root = real_data / "other" / "odd"
    with pytest.raises(RequestError) as caught:
        prepare(Folder("odd", str(root)), Preparation(seed=0, channel="grey", scale=2, patch_size=16))
    rows = [row for row in manifest(real_data / "other") if row["file"].startswith("odd/")]
    failing = {
        Path(row["file"]).name
        for row in rows
        if not row["decode"].startswith("ok") and row["file"] not in MORE_THAN_PYDICOM
    }
    for name in failing | {Path(name).name for name in REFUSED}:
        assert name in str(caught.value)
    skipping = prepare(
        Folder("odd", str(root), on_error="skip"), Preparation(seed=0, channel="grey", scale=2, patch_size=16)
    )
    names = [named(key) for key, _ in skipping.skipped]
    assert {name.rpartition("#")[0] or name for name in names} >= failing
