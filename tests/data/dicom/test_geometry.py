"""An enlarged image covers the same millimetres, in every element that counts pixels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.datadict import dictionary_VM, dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedUSVolumeStorage, RTImageStorage

from srexp.data.dicom.attributes import MEASURED, UNITS, Change
from srexp.data.dicom.geometry import scale_geometry
from srexp.data.image import UnreadableImageError
from tests.data.dicom.images import Write, unsigned
from tests.data.dicom.rewriting import quietly_read, through


def test_spacings_and_positions_are_those_of_the_smaller_pixels(radiograph: Write) -> None:
    path = radiograph(
        unsigned(8), PixelSpacing=[0.8, 0.6], ImagerPixelSpacing=[0.4, 0.4], NominalScannedPixelSpacing=[0.1, 0.1],
        ImagePositionPatient=[10, -20, 30], ImageOrientationPatient=[0, 1, 0, 0, 0, -1], SpacingBetweenSlices=5,
        SliceThickness=4, ShutterShape="RECTANGULAR", ShutterLeftVerticalEdge=2, ShutterRightVerticalEdge=9,
        ShutterUpperHorizontalEdge=1, ShutterLowerHorizontalEdge=12,
    )  # fmt: skip
    image = quietly_read(through(path, scale=2))
    assert list(image.PixelSpacing) == [0.4, 0.3]
    assert (list(image.ImagerPixelSpacing), list(image.NominalScannedPixelSpacing)) == ([0.2, 0.2], [0.05, 0.05])
    assert (image.SpacingBetweenSlices, image.SliceThickness) == (5, 4)
    # A quarter of a pixel towards the corner: along the rows (+y) by 0.15, along the columns (-z) by 0.2.
    assert list(image.ImagePositionPatient) == pytest.approx([10, -20.15, 30.2])
    assert list(image.ImageOrientationPatient) == [0, 1, 0, 0, 0, -1]
    edges = [image[f"Shutter{edge}"].value for edge in ("LeftVerticalEdge", "RightVerticalEdge", "UpperHorizontalEdge")]
    assert edges == [round(1.5 * 2 + 0.5), round(8.5 * 2 + 0.5), round(0.5 * 2 + 0.5)]


def test_an_enhanced_object_is_scaled_in_its_functional_groups(tmp_path: Path) -> None:
    path = tmp_path / "eCT.dcm"
    shutil.copy(get_testdata_file("eCT_Supplemental.dcm"), path)
    before, after = pydicom.dcmread(path), pydicom.dcmread(through(path, scale=2))
    spacing = before.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    finer = after.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    assert list(finer) == pytest.approx([each / 2 for each in spacing])
    assert after.NumberOfFrames == before.NumberOfFrames
    first, moved = (
        image.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient
        for image in (before, after)
    )
    assert np.linalg.norm(np.subtract(first, moved)) == pytest.approx(np.hypot(*spacing) / 4, rel=1e-4)
    [derivation] = after.SharedFunctionalGroupsSequence[0].DerivationImageSequence
    assert derivation.SourceImageSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
    [evidence] = after.SourceImageEvidenceSequence
    assert evidence.StudyInstanceUID == before.StudyInstanceUID
    assert evidence.ReferencedSeriesSequence[0].SeriesInstanceUID == before.SeriesInstanceUID
    np.testing.assert_array_equal(after.pixel_array, before.pixel_array.repeat(2, -2).repeat(2, -1))


def test_a_group_for_all_frames_has_one_item_and_further_ones_say_nothing() -> None:
    """PS3.3 C.7.6.16.1.1; to look through all of them for each frame took minutes."""
    size, place = Dataset(), Dataset()
    size.PixelSpacing, size.ImageOrientationPatient = [1, 1], [1, 0, 0, 0, 1, 0]
    place.ImagePositionPatient = [0, 0, 0]
    image = Dataset()
    image.PerFrameFunctionalGroupsSequence = [place]
    image.SharedFunctionalGroupsSequence = [Dataset(), size]
    with pytest.raises(UnreadableImageError, match="no PixelSpacing"):
        scale_geometry(image, 2)
    image.SharedFunctionalGroupsSequence = [size, Dataset()]
    scale_geometry(image, 2)
    assert list(place.ImagePositionPatient) == [-0.25, -0.25, 0]


def test_ultrasound_regions_follow(radiograph: Write) -> None:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMaxX1 = 2, 8
    region.RegionLocationMinY0, region.RegionLocationMaxY1 = 0, 11
    region.PhysicalDeltaX, region.PhysicalDeltaY, region.ReferencePixelX0 = 0.5, 0.25, 4
    image = quietly_read(through(radiograph(unsigned(8), SequenceOfUltrasoundRegions=Sequence([region])), scale=2))
    [made] = image.SequenceOfUltrasoundRegions
    places = [made[f"RegionLocation{name}"].value for name in ("MinX0", "MaxX1", "MinY0", "MaxY1")]
    assert places == [4, 17, 0, 23]
    assert (made.PhysicalDeltaX, made.PhysicalDeltaY, made.ReferencePixelX0) == (0.25, 0.125, 8)


def item(**elements: object) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


# Where a number is on the old grid, of the number on the new one; places within half a new pixel, as they are rounded.
BACK = {
    Change.SPACING: lambda p, s: p * s,
    Change.LENGTH: lambda p, s: p / s,
    Change.CENTRE_FROM_0: lambda p, s: (p + 0.5) / s - 0.5,
    Change.CENTRE_FROM_1: lambda p, s: (p - 0.5) / s + 0.5,
    Change.FIRST_FROM_1: lambda p, s: (p - 1) / s + 1,
    Change.LAST_FROM_0: lambda p, s: (p + 1) / s - 1,
}
RULED = sorted(keyword for keyword, change in MEASURED.items() if change in BACK)


def of_its_kind(keyword: str) -> object:
    count = int(dictionary_VM(keyword)[0])
    values = [7 + 2 * n for n in range(count)]
    return values if count > 1 else values[0]


def described(keyword: str) -> Dataset:
    return item(**{keyword: of_its_kind(keyword)}, **dict.fromkeys(UNITS.get(keyword, ()), "PIXEL"))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_measured_attribute_means_the_same_place_or_length_wherever_it_stands(scale: int) -> None:
    for keyword in RULED:
        image = described(keyword)
        image.SequenceOfUltrasoundRegions = [described(keyword)]
        image.SharedFunctionalGroupsSequence = [item(FieldOfViewSequence=[described(keyword)])]
        image.PerFrameFunctionalGroupsSequence = [item(FrameDisplayShutterSequence=[described(keyword)])]
        others = ("SourceImageSequence", "ReferencedImageSequence", "OriginalAttributesSequence")
        for other in others:
            setattr(image, other, [described(keyword)])
        scale_geometry(image, scale)
        shared, frame = image.SharedFunctionalGroupsSequence[0], image.PerFrameFunctionalGroupsSequence[0]
        places = (
            image,
            image.SequenceOfUltrasoundRegions[0],
            shared.FieldOfViewSequence[0],
            frame.FrameDisplayShutterSequence[0],
        )
        before = np.atleast_1d(of_its_kind(keyword))
        for place in places:
            back = [BACK[MEASURED[keyword]](float(value), scale) for value in np.atleast_1d(place[keyword].value)]
            whole = dictionary_VR(keyword) in ("IS", "US", "SS", "UL", "SL")
            np.testing.assert_allclose(back, before, rtol=1e-6, atol=0.5 / scale if whole else 1e-6, err_msg=keyword)
        for other in others:
            assert image[other].value[0][keyword].value == of_its_kind(keyword), (keyword, other)


def test_drawings_in_units_of_the_display_stay() -> None:
    for keyword, units in UNITS.items():
        for said, factor in (("DISPLAY", 1), ("PIXEL", 2), ("MATRIX", 2)):
            for unit in units:
                image = item(**{keyword: of_its_kind(keyword), unit: said})
                scale_geometry(image, 2)
                assert list(image[keyword].value) == [factor * each for each in of_its_kind(keyword)], (keyword, said)
    finding = item(GraphicData=[1, 2], GraphicType="POINT")  # a report's, about another image (C.18.6)
    scale_geometry(finding, 2)
    assert finding.GraphicData == [1, 2]


@pytest.mark.parametrize("orientation", [[1, 0, 0, 0, -1, 0], None])
def test_an_rt_image_keeps_its_place_at_the_receptor(radiograph: Write, orientation: list[int] | None) -> None:
    path = radiograph(
        unsigned(8), SOPClassUID=RTImageStorage, ImagePlanePixelSpacing=[0.8, 0.4], RTImagePosition=[-4.6, 7.6],
        RTImageOrientation=orientation,
    )  # fmt: skip
    image = quietly_read(through(path, scale=2))
    assert list(image.ImagePlanePixelSpacing) == [0.4, 0.2]
    assert list(image.RTImagePosition) == pytest.approx([-4.7, 7.8])


@pytest.mark.parametrize("without", ["PixelSpacing", "ImageOrientationPatient"])
def test_a_place_that_can_not_be_moved_is_refused_by_name(without: str) -> None:
    whole = {"PixelSpacing": [2, 2], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImagePositionPatient": [1, 2, 3]}
    image = item(**{keyword: value for keyword, value in whole.items() if keyword != without})
    scale_geometry(image, 1)
    with pytest.raises(UnreadableImageError, match=rf"ImagePositionPatient \(0020,0032\) and no {without}"):
        scale_geometry(image, 2)


def test_frames_of_a_volume_keep_their_places(radiograph: Write) -> None:
    path = radiograph(
        unsigned(8), SOPClassUID=EnhancedUSVolumeStorage,
        SharedFunctionalGroupsSequence=[item(
            PixelMeasuresSequence=[item(PixelSpacing=[0.4, 0.2])],
            PlaneOrientationVolumeSequence=[item(ImageOrientationVolume=[1.0, 0, 0, 0, 1, 0])],
        )],
        PerFrameFunctionalGroupsSequence=[item(PlanePositionVolumeSequence=[item(ImagePositionVolume=[0.0, 0, 5])])],
        PixelSpacing=[2, 2],
    )  # fmt: skip
    image = quietly_read(through(path, scale=2))
    place = image.PerFrameFunctionalGroupsSequence[0].PlanePositionVolumeSequence[0]
    assert list(place.ImagePositionVolume) == pytest.approx([-0.05, -0.1, 5])


def test_detectors_keep_their_places(radiograph: Write) -> None:
    detector = item(ImagePositionPatient=[1, 2, 3], ImageOrientationPatient=[0, 1, 0, 0, 0, 1])
    path = radiograph(unsigned(8), PixelSpacing=[2, 2], DetectorInformationSequence=[detector])
    image = quietly_read(through(path, scale=2))
    assert list(image.DetectorInformationSequence[0].ImagePositionPatient) == pytest.approx([1, 1.5, 2.5])


# Each place, the directions and the spacing that belong to it; PS3.3 C.7.6.2, its retired form, C.8.23.3, C.8.8.2.
PLACES = [
    ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    ("ImagePosition", "ImageOrientation", "PixelSpacing"),
    ("ImagePositionVolume", "ImageOrientationVolume", "PixelSpacing"),
    ("RTImagePosition", "RTImageOrientation", "ImagePlanePixelSpacing"),
]


@pytest.mark.parametrize(("place", "directions", "spacing"), PLACES)
@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_each_place_moves_by_its_own_directions_and_spacing(
    place: str, directions: str, spacing: str, wrong: int
) -> None:
    count = int(dictionary_VM(place)[0])
    corner, rows, columns = [1.0, 2.0, 3.0][:count], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]
    whole = {place: corner, directions: [*rows, *columns], spacing: [0.8, 0.4]}
    image = item(**whole)
    scale_geometry(image, 4)
    moved = [each - 0.4 * 3 / 8 * rows[i] - 0.8 * 3 / 8 * columns[i] for i, each in enumerate(corner)]
    assert list(image[place].value) == pytest.approx(moved)
    damaged = list(whole)[wrong]
    whole[damaged] = [*whole[damaged], 1.0]
    with pytest.raises(UnreadableImageError, match=f"has {len(whole[damaged])} values as {damaged}"):
        scale_geometry(item(**whole), 4)


def test_the_nearest_spacing_and_direction_hold() -> None:
    image = item(
        PixelSpacing=[8, 8], ImageOrientationPatient=[0, 0, 1, 0, 1, 0],
        SharedFunctionalGroupsSequence=[item(
            PixelMeasuresSequence=[item(PixelSpacing=[4, 4])],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[0, 1, 0, 1, 0, 0])],
        )],
        PerFrameFunctionalGroupsSequence=[
            item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 0])]),
            item(
                PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 0])],
                PixelMeasuresSequence=[item(PixelSpacing=[2, 1])],
                PlaneOrientationSequence=[item(ImageOrientationPatient=[0, 0, 1, 0, 1, 0])],
            ),
        ],
    )  # fmt: skip
    scale_geometry(image, 2)
    groups = image.PerFrameFunctionalGroupsSequence
    places = [list(group.PlanePositionSequence[0].ImagePositionPatient) for group in groups]
    assert places == [[-1, -1, 0], [0, -0.5, -0.25]]


def test_what_is_empty_or_single_stays_so() -> None:
    image = item(PixelSpacing=None, ImagePositionPatient=None, RadiusOfCircularShutter=3, PhysicalDeltaX=0.5)
    scale_geometry(image, 2)
    assert (image.PixelSpacing, image.ImagePositionPatient) == (None, None)
    assert (image.RadiusOfCircularShutter, image.PhysicalDeltaX) == (6, 0.25)


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("axis", ["X", "Y"])
def test_a_reference_pixel_keeps_its_physical_value_exactly(axis: str, scale: int) -> None:
    pixel_at, value_there, step = f"ReferencePixel{axis}0", f"ReferencePixelPhysicalValue{axis}", f"PhysicalDelta{axis}"
    region = item(**{pixel_at: 4, value_there: 1.0, step: 0.5})
    scale_geometry(item(SequenceOfUltrasoundRegions=[region]), scale)

    def physical(place: float) -> float:  # of a place counted from the edge of the first pixel, in old pixels
        pixel = place * scale - 0.5
        return region[value_there].value + (pixel - region[pixel_at].value) * region[step].value

    assert [physical(place) for place in (0.5, 4.5, 7)] == pytest.approx([-1, 1, 2.25])


LIMITS = {
    "US": (0, 65535), "UL": (0, 4294967295), "SS": (-32768, 32767),
    "SL": (-2147483648, 2147483647), "IS": (-2147483648, 2147483647),
}  # fmt: skip
#: An element of each kind of whole number, its value, and the scale at which it comes to lie at the kind's limit.
AT_LIMITS = [
    ("RadiusOfCircularExposureControlSensingRegion", 1, 2**16 - 1),  # US
    ("RegionLocationMinX0", 1, 2**32 - 1),  # UL
    ("DisplayedAreaBottomRightHandCorner", 1, 2**31 - 1),  # SL
    ("DisplayedAreaBottomRightHandCorner", -1, 2**31),
    ("RadiusOfCircularShutter", 1, 2**31 - 1),  # IS
    ("RadiusOfCircularShutter", -1, 2**31),
    ("ExposureControlSensingRegionLeftVerticalEdge", 1, 2**16 - 3),  # SS, a pixel counted from 1
    ("ExposureControlSensingRegionLeftVerticalEdge", 0, 2**16 + 1),
]


@pytest.mark.parametrize(("keyword", "value", "scale"), AT_LIMITS)
def test_a_number_is_moved_as_far_as_its_kind_holds_and_no_further(keyword: str, value: int, scale: int) -> None:
    def scaled(by: int) -> int:
        image = item(**{keyword: value})
        scale_geometry(image, by)
        return image[keyword].value

    limit = LIMITS[dictionary_VR(keyword)][value > 0]
    assert scaled(scale) == limit
    with pytest.raises(UnreadableImageError, match=rf"would have {limit + (1 if value > 0 else -1)} as [\s\S]*smaller"):
        scaled(scale + (2 if "Edge" in keyword else 1))


def test_zero_stays_where_a_number_has_no_sign() -> None:
    image = item(RadiusOfCircularExposureControlSensingRegion=0, RegionLocationMinX0=0)
    scale_geometry(image, 2)
    assert (image.RadiusOfCircularExposureControlSensingRegion, image.RegionLocationMinX0) == (0, 0)


def test_a_decimal_string_has_at_most_16_characters() -> None:
    image = item(PixelSpacing=[0.7, 0.1])
    scale_geometry(image, 3)
    assert all(len(str(value)) <= 16 for value in image.PixelSpacing)
    assert [float(value) for value in image.PixelSpacing] == pytest.approx([0.7 / 3, 0.1 / 3], rel=1e-12)


def test_nothing_is_written_at_scale_1() -> None:
    image = item(PixelSpacing=[0.7, 0.1], ImagePositionPatient=[1, 2, 3], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    before = str(image)
    scale_geometry(image, 1)
    assert str(image) == before
