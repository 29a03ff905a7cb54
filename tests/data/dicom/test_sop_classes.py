"""What is no image is known by its class, and no geometry is rewritten that srexp doesn't know."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, RTDoseStorage, SegmentationStorage

from srexp.data.dicom.sop_classes import KNOWN_GEOMETRY, check_geometry, check_image, is_enhanced, sop_class
from srexp.data.formats.registry import read_image
from srexp.data.image import UnreadableImageError
from tests.data.dicom.images import Write, plant, unsigned
from tests.data.dicom.rewriting import through

pytestmark = pytest.mark.usefixtures("asked_without_bounds_too")

# Images with a grid that has more to it than rows, columns and what `attributes` lists.
REFUSED = {
    "PhotoacousticImage",
    "MultiFrameSingleBitSecondaryCaptureImage",
    "EnhancedRTImage",
    "EnhancedContinuousRTImage",
    "IntravascularOpticalCoherenceTomographyImageForPresentation",
    "IntravascularOpticalCoherenceTomographyImageForProcessing",
    "WideFieldOphthalmicPhotographyStereographicProjectionImage",
    "WideFieldOphthalmicPhotography3DCoordinatesImage",
    "OphthalmicOpticalCoherenceTomographyEnFaceImage",
    "VLWholeSlideMicroscopyImage",
    "ConfocalMicroscopyImage",
    "ConfocalMicroscopyTiledPyramidalImage",
    "DICOSCTImage",
    "DICOSDigitalXRayImageForPresentation",
    "DICOSDigitalXRayImageForProcessing",
    "EddyCurrentImage",
    "EddyCurrentMultiFrameImage",
}


def classes() -> dict[str, UID]:
    from pydicom._uid_dict import UID_dictionary

    return {entry[4]: UID(uid) for uid, entry in UID_dictionary.items() if "Storage" in entry[4]}


def of(uid: str) -> Dataset:
    image = Dataset()
    image.SOPClassUID = uid
    return image


def test_every_class_of_images_is_known_or_refused_by_name() -> None:
    images = set()
    for keyword, uid in classes().items():
        try:
            check_image(of(uid))
        except UnreadableImageError:
            continue
        images.add(keyword)
    known = {name for name in images if name.replace("Storage", "") not in REFUSED}
    assert known == KNOWN_GEOMETRY
    assert len(images) == len(known) + len(REFUSED)
    for name in images - known:
        with pytest.raises(UnreadableImageError, match="whose geometry srexp can't rewrite") as refused:
            check_geometry(of(classes()[name]))
        assert classes()[name].name in refused.value.reason
        assert "format=png" in refused.value.fix


@pytest.mark.parametrize("storage", [SegmentationStorage, RTDoseStorage, "1.2.840.10008.5.1.4.1.1.104.1"])
def test_what_is_no_image_is_known_by_its_class_whatever_its_modality_says(write: Write, storage: str) -> None:
    path = write(unsigned(8), Modality="OT", SOPClassUID=storage)
    with pytest.raises(UnreadableImageError, match=f"no image but of the class '{UID(storage).name}'"):
        read_image(path)


@pytest.mark.parametrize("modality", ["OT", "CT", ""])
@pytest.mark.parametrize(
    "claimed",
    [
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.7"},  # labels, of which pydicom knows nothing
        {"SegmentSequence": [Dataset()]},
        {"SegmentationType": "LABELMAP", "SOPClassUID": "1.2.3.4.5"},
        {"SegmentationType": "BINARY", "SOPClassUID": None},
    ],
)
def test_labels_are_never_restored_as_grey_values(write: Write, claimed: dict[str, object], modality: str) -> None:
    path = write(unsigned(8), Modality=modality, **claimed)
    with pytest.raises(UnreadableImageError, match=r"is a segmentation|no image but of the class"):
        read_image(path)


def test_an_image_of_an_unknown_kind_is_read_and_not_written_with_other_pixels(write: Write) -> None:
    path = write(unsigned(8), SOPClassUID="1.2.3.4.5")
    assert read_image(path).pixels.shape == (12, 10, 1)
    through(path, scale=1)
    with pytest.raises(UnreadableImageError, match=r"of the class '1\.2\.3\.4\.5'"):
        through(path, scale=2)


def test_text_in_place_of_a_class_is_not_repeated(write: Write) -> None:
    path = write(unsigned(8))
    plant(path, "SOPClassUID", "UI", b"Doe Storage ")
    with pytest.raises(UnreadableImageError, match="no valid SOPClassUID") as refused:
        through(path, scale=2)
    assert "Doe" not in str(refused.value)


def test_the_head_of_the_file_says_the_class_where_the_object_does_not(write: Write) -> None:
    path = write(unsigned(8), SOPClassUID=None)
    assert sop_class(pydicom.dcmread(path)).keyword == "CTImageStorage"
    assert pydicom.dcmread(through(path, scale=2)).SOPClassUID.keyword == "CTImageStorage"


@pytest.mark.parametrize(
    "name", ["EnhancedXAImageStorage", "EnhancedUSVolumeStorage", "LegacyConvertedEnhancedCTImageStorage"]
)
def test_enhanced_objects_are_known_by_class_or_groups(name: str) -> None:
    assert is_enhanced(of(classes()[name]))
    image = of("1.2.3")
    assert not is_enhanced(image)
    image.PerFrameFunctionalGroupsSequence = []
    assert is_enhanced(image)


def test_a_directory_record_under_another_name_is_refused_as_one(tmp_path: Path) -> None:
    from pydicom.data import get_testdata_file

    path = tmp_path / "photo.dcm"
    path.write_bytes(Path(get_testdata_file("DICOMDIR")).read_bytes())
    with pytest.raises(UnreadableImageError, match="Media Storage Directory"):
        read_image(path)
