"""DICOM out: stored values as the original means them, and a description that is true of the new image."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import UID, ImplicitVRLittleEndian, SecondaryCaptureImageStorage

from srexp.data.dicom import description
from srexp.data.dicom.derived import instance_uid, series_uid
from srexp.data.display import Display, Resolution
from srexp.data.formats import dicom_writer, registry
from srexp.data.formats.writers import write_images
from srexp.data.image import UnreadableImageError
from srexp.data.restored_image import Origin, Provenance, Restored
from srexp.errors import SrexpError
from srexp.system.files.digests import sha256
from tests.data.dicom.images import Write, signed, unsigned
from tests.data.dicom.rewriting import MADE, quietly_read, through


@pytest.fixture
def unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be described in this process, where a test can exchange parts."""
    monkeypatch.setattr(registry, "Begun", lambda _, function, *given: partial(function, *given))


def test_a_tile_of_a_slide_is_refused(radiograph: Write) -> None:
    with pytest.raises(UnreadableImageError, match="whole-slide"):
        through(radiograph(unsigned(8), TotalPixelMatrixRows=100))


def test_more_pixels_than_dicom_holds_are_refused(radiograph: Write) -> None:
    image = Restored(0, (70_000, 1, 1), 8, iter(()))
    path = radiograph(unsigned(8))
    with pytest.raises(UnreadableImageError, match="65535") as refused:
        write_images(path.parent, "b.dcm", "dicom", Origin(path, "dicom", (0,), "bits"), MADE, images=[image])
    assert refused.value.fix == "format=tiff"


@pytest.mark.usefixtures("unconfined")
def test_sides_and_bytes_are_written_up_to_what_their_fields_hold(
    radiograph: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = radiograph(unsigned(8))
    origin, target = Origin(path, "dicom", (0,), "bits"), path.with_name("b.dcm")
    for shape in ((2**16 - 1, 1, 1), (1, 2**16 - 1, 1)):
        dicom_writer.write(target, origin, MADE, [Restored(0, shape, 8, iter([np.zeros(shape, np.float32)]))])
        assert (pydicom.dcmread(target).Rows, pydicom.dcmread(target).Columns) == shape[:2]
    for shape in ((2**16, 1, 1), (1, 2**16, 1)):
        with pytest.raises(UnreadableImageError, match="65535"):
            dicom_writer.write(target, origin, MADE, [Restored(0, shape, 8, iter(()))])
    assert description._LARGEST_ELEMENT == 0xFFFF_FFFE  # PS3.5 7.1: even, and below the length that says none
    for limit, fits in ((9, True), (8, False)):
        monkeypatch.setattr(description, "_LARGEST_ELEMENT", limit)
        white = Restored(0, (3, 3, 1), 8, iter([np.ones((3, 3, 1), np.float32)]))
        with nullcontext() if fits else pytest.raises(UnreadableImageError, match="would have 9 bytes"):
            dicom_writer.write(target, origin, MADE, [white])
        unused = Restored(0, (3, 3, 1), 8, iter(()))
        with pytest.raises(SrexpError if fits else UnreadableImageError, match="gave another" if fits else "9 bytes"):
            dicom_writer.write(target.with_name("c.dcm"), origin, MADE, [unused])
    assert pydicom.dcmread(target).PixelData == b"\xff" * 9 + b"\0"


@pytest.mark.usefixtures("unconfined")
@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"ImagePositionPatient": [0, 0, 0]}, "has ImagePositionPatient"),
        ({"ReferencePixelX0": 2**31 - 1}, "would have 4294967294 as ReferencePixelX0"),
        ({"Rows": 2**15}, "would become 65536 x 20 pixels"),
        ({"AcquisitionDate": object()}, r"has AcquisitionDate \(0008,0022\) that can't be written again"),
    ],
)
def test_what_can_not_be_written_is_refused_before_it_is_restored(
    radiograph: Write, monkeypatch: pytest.MonkeyPatch, tags: dict[str, Any], words: str
) -> None:
    def restored() -> Iterator[np.ndarray]:
        raise AssertionError("the network ran")
        yield

    pixels = unsigned(8, (tags.pop("Rows", 12), 10))
    unwritable = {keyword: tags.pop(keyword) for keyword in list(tags) if keyword == "AcquisitionDate"}
    path = radiograph(pixels, **tags)
    dcmread = pydicom.dcmread

    def read(*given: Any, **options: Any) -> Dataset:
        image = dcmread(*given, **options)
        for keyword, value in unwritable.items():
            image.add(pydicom.DataElement(keyword, "DA", value, validation_mode=pydicom.config.IGNORE))
        return image

    monkeypatch.setattr(pydicom, "dcmread", read)
    made = Provenance(MADE.model, MADE.identity, MADE.version, 2)
    image = Restored(0, (2 * pixels.shape[0], 20, 1), 8, restored())
    with pytest.raises(UnreadableImageError, match=words):
        dicom_writer.write(path.with_name("b.dcm"), Origin(path, "dicom", (0,), "bits"), made, [image])


def test_a_file_begins_as_one_of_srexp(radiograph: Write) -> None:
    path = radiograph(unsigned(8))
    path.write_bytes(b"a vendor's words".ljust(128, b"!") + path.read_bytes()[128:])
    made = through(path)
    assert made.read_bytes()[:132] == b"\0" * 128 + b"DICM"
    head = pydicom.dcmread(made).file_meta
    assert (head.FileMetaInformationVersion, head.ImplementationClassUID) == (
        b"\0\1",
        pydicom.uid.PYDICOM_IMPLEMENTATION_UID,
    )
    path.write_bytes(b"replaced while it was read")
    with pytest.raises(UnreadableImageError, match="damaged DICOM header"):
        dicom_writer.write(made, Origin(path, "dicom", (0,), "bits"), MADE, [Restored(0, (3, 3, 1), 8, iter(()))])


def test_geometry_is_looked_at_only_where_it_changes(radiograph: Write) -> None:
    path = radiograph(unsigned(8), SOPClassUID="1.2.3.99")
    assert quietly_read(through(path)).SOPClassUID == "1.2.3.99"
    with pytest.raises(UnreadableImageError, match="whose geometry srexp can't rewrite"):
        through(path, scale=2)


def test_a_table_of_an_implicit_file_says_whether_its_first_value_has_a_sign(radiograph: Write) -> None:
    table = Dataset()
    table.add_new("LUTDescriptor", "SS", [2, -5, 8])
    table.add_new("LUTData", "US", [0, 255])
    path = radiograph(
        signed(12), BitsStored=12, syntax=ImplicitVRLittleEndian, VOILUTSequence=[table], RescaleIntercept=0,
        RescaleSlope=1,
    )  # fmt: skip
    [kept] = quietly_read(through(path)).VOILUTSequence
    assert (kept["LUTDescriptor"].VR, list(kept.LUTDescriptor)) == ("SS", [2, -5, 8])


def test_a_full_disk_is_no_fault_of_the_file(radiograph: Write) -> None:
    path = radiograph(unsigned(8))
    (path.parent / "out").mkdir()
    (path.parent / "out" / "a.dcm").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        through(path)


@pytest.mark.usefixtures("unconfined")
@pytest.mark.parametrize("error", [OSError, ValueError])
def test_what_pydicom_does_not_write_is_refused(
    radiograph: Write, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    path, save_as = radiograph(unsigned(8), SmallestImagePixelValue=None, PixelPaddingValue=3), Dataset.save_as

    def fail(dataset: Dataset, *given: Any, **options: Any) -> None:
        if options.get("enforce_file_format"):
            raise error("pydicom's own")
        save_as(dataset, *given, **options)

    monkeypatch.setattr(Dataset, "save_as", fail)
    with pytest.raises(UnreadableImageError, match="has elements that can't be written again"):
        through(path)


@pytest.mark.usefixtures("unconfined")
def test_an_element_that_cannot_be_written_again_is_named(radiograph: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    derived = description.derived

    def damaged(*given: Any, **options: Any) -> Dataset:
        image = derived(*given, **options)
        image.add(pydicom.DataElement("Rows", "US", 2**16, validation_mode=pydicom.config.IGNORE))
        return image

    monkeypatch.setattr(description, "derived", damaged)
    with pytest.raises(UnreadableImageError, match=r"has Rows \(0028,0010\) that can't be written again"):
        through(radiograph(unsigned(8)))


def test_another_kind_becomes_a_secondary_capture_of_nobody(tmp_path: Path) -> None:
    import imagecodecs

    pixels = unsigned(16)
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(pixels))
    image = quietly_read(through(path))
    np.testing.assert_array_equal(image.pixel_array, pixels)
    assert (image.PatientName, image.PatientID, image.Modality, image.ConversionType) == ("", "", "OT", "WSD")
    digest = sha256(path)
    assert image.StudyInstanceUID == UID(f"2.25.{uuid5(NAMESPACE_OID, digest).int}")
    assert (image.SOPInstanceUID, image.SeriesInstanceUID) == (
        instance_uid(digest, MADE.identity),
        series_uid(digest, MADE.identity),
    )
    empty = (  # PS3.3 A.8.1: what its modules must have, known or not (C.7.1.1, C.7.2.1, C.7.3.1, C.7.5.1)
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
        *("AccessionNumber", "ReferringPhysicianName", "Manufacturer", "Laterality", "PatientOrientation"),
    )
    assert [image[keyword].value or "" for keyword in (*empty, "SeriesNumber")] == [""] * 13
    assert (image.InstanceNumber, image.SOPClassUID) == (1, SecondaryCaptureImageStorage)
    assert "LossyImageCompression" not in image
    path.write_bytes(imagecodecs.png_encode(unsigned(16, (6, 5, 3))))
    assert quietly_read(through(path)).BitsStored == 8


@pytest.mark.parametrize(("bits", "stored"), [(4, 8), (8, 8), (10, 10), (16, 16)])
def test_a_capture_has_the_depth_that_was_read_and_a_byte_at_least(tmp_path: Path, bits: int, stored: int) -> None:
    values = np.full((3, 3, 1), 1.0, np.float32)
    image = Restored(0, (3, 3, 1), bits, iter([values]))
    (tmp_path / "a.png").write_bytes(b"any")
    dicom_writer.write(tmp_path / "b.dcm", Origin(tmp_path / "a.png", "png", (0,), "bits"), MADE, [image])
    made = quietly_read(tmp_path / "b.dcm")
    assert (made.BitsStored, made.pixel_array.max()) == (stored, 2**stored - 1)


def test_several_images_of_another_kind_make_no_object(tmp_path: Path) -> None:
    origin = Origin(tmp_path / "a.tif", "tiff", (0, 1), "bits")
    with pytest.raises(UnreadableImageError, match="holds 2 images"):
        dicom_writer.write(tmp_path / "b.dcm", origin, MADE, [])


@pytest.mark.parametrize(
    ("resolution", "said", "value"),
    [
        (Resolution(3, 7, 1.0), "NominalScannedPixelSpacing", [1 / 7, 1 / 3]),
        (Resolution(3, 7, None), "PixelAspectRatio", [3, 7]),
        (Resolution(3, 3, None), "", []),
    ],
)
def test_a_capture_says_the_size_or_shape_of_its_pixels(
    tmp_path: Path, resolution: Resolution, said: str, value: list[float]
) -> None:
    image = Restored(0, (3, 3, 1), 8, iter([np.zeros((3, 3, 1), np.float32)]), Display(resolution=resolution))
    (tmp_path / "a.png").write_bytes(b"any")
    dicom_writer.write(tmp_path / "b.dcm", Origin(tmp_path / "a.png", "png", (0,), "bits"), MADE, [image])
    made = quietly_read(tmp_path / "b.dcm")
    found = {
        name: list(made[name].value) for name in ("NominalScannedPixelSpacing", "PixelAspectRatio") if name in made
    }
    assert found == ({said: pytest.approx(value)} if said else {})


def test_a_description_says_how_it_came_to_be(radiograph: Write) -> None:
    """PS3.3 C.7.6.1.1.3, C.12.1, and the codes of PS3.16."""
    earlier = Dataset()
    earlier.Manufacturer = "scanner"
    of_other = Dataset()
    of_other.Units, of_other.SmallestImagePixelValue = "BQML", 3
    path = radiograph(
        unsigned(8), SeriesDescription="c" * 60, ContributingEquipmentSequence=[earlier],
        ReferencedImageSequence=[of_other],
    )  # fmt: skip
    begun = datetime.now().astimezone()
    image = quietly_read(through(path, scale=2, intensity="percentile"))
    ended = datetime.now().astimezone()
    assert image.SeriesDescription == "c" * 40 + " srexp x2"
    assert list(image.ReferencedImageSequence) == [of_other]
    [derivation], [source], [before, equipment] = (
        image[name].value for name in ("DerivationCodeSequence", "SourceImageSequence", "ContributingEquipmentSequence")
    )
    [purpose], [made] = source.PurposeOfReferenceCodeSequence, equipment.PurposeOfReferenceCodeSequence
    assert [
        (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) for code in (derivation, purpose, made)
    ] == [
        ("113085", "DCM", "Spatial resampling"),
        ("121322", "DCM", "Source image for image processing operation"),
        ("109102", "DCM", "Processing Equipment"),
    ]
    assert before == earlier
    assert (
        equipment.ContributionDescription
        == image.DerivationDescription
        == Provenance(MADE.model, "", MADE.version, 2).sentence()
    )
    whole = f"{image.InstanceCreationDate}{image.InstanceCreationTime}"
    assert equipment.ContributionDateTime == whole
    assert f"{begun:%Y%m%d%H%M%S}" <= whole <= f"{ended:%Y%m%d%H%M%S}"
    assert quietly_read(through(radiograph(unsigned(8), SeriesDescription=None))).SeriesDescription == "srexp x1"


def test_loss_is_said_of_what_was_compressed_with_loss_and_says_nothing(tmp_path: Path) -> None:
    path = Path(shutil.copy(get_testdata_file("JPEG-lossy.dcm"), tmp_path))
    image = pydicom.dcmread(path)
    image.pop("LossyImageCompression", None)
    image.save_as(path)
    assert quietly_read(through(path)).LossyImageCompression == "01"


def test_each_frame_has_one_derivation(radiograph: Write) -> None:
    def group() -> Dataset:
        made, older = Dataset(), Dataset()
        older.DerivationDescription = "an older one"
        made.DerivationImageSequence = [older]
        return made

    pixels = np.stack([unsigned(8)] * 2)
    grouped = {"PerFrameFunctionalGroupsSequence": [group(), group()]}
    for shared in ({}, {"SharedFunctionalGroupsSequence": [group()]}):
        image = quietly_read(through(radiograph(pixels, **grouped, **shared)))
        described = [
            [part.DerivationDescription for part in each.get("DerivationImageSequence", [])]
            for name in (*shared, *grouped)
            for each in image[name].value
        ]
        new = [image.DerivationDescription]
        assert described == ([new, [], []] if shared else [new, new])
        [evidence] = image.SourceImageEvidenceSequence
        assert evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"
    nobody = quietly_read(through(radiograph(pixels, SOPInstanceUID=None, **grouped)))
    assert "SourceImageEvidenceSequence" not in nobody


def test_identifiers_are_the_same_in_every_version() -> None:
    """An archive knows a restoration again by them."""
    assert instance_uid("1.2.3", "x2") == "2.25.156958514265122748545652499492746714250"
    assert instance_uid("1.2.3", "x2", (0, 7)) == "2.25.228663265201546106920383294814485168999"
    assert series_uid("1.2.3", "x2") == "2.25.140768540209580566393453409329664097788"
