"""What a DICOM object says of its pixels to files of other kinds."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from srexp.data.dicom.display import display_of
from srexp.data.display import Display, Resolution


def item(**elements: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    "keyword", ["PixelSpacing", "ImagePlanePixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"]
)
def test_height_and_width_of_a_pixel(keyword: str) -> None:
    assert display_of(item(**{keyword: [0.5, 0.25]}), 0) == Display(resolution=Resolution(4, 2, 1.0))


def test_the_patient_comes_before_the_detector() -> None:
    image = item(ImagerPixelSpacing=[0.2, 0.2], PixelSpacing=[0.1, 0.1])
    assert display_of(image, 0).resolution == Resolution(10, 10, 1.0)


def test_the_shape_alone() -> None:
    assert display_of(item(PixelAspectRatio=[2, 1]), 0).resolution == Resolution(1, 0.5, None)


def test_each_frame_may_have_its_own() -> None:
    def measured(*spacing: float) -> Dataset:
        return item(PixelMeasuresSequence=[item(PixelSpacing=list(spacing), SpacingBetweenSlices=3)])

    image = item(PerFrameFunctionalGroupsSequence=[measured(1, 1), measured(0.5, 0.5)], NumberOfFrames=2)
    assert display_of(image, 1) == Display(resolution=Resolution(2, 2, 1.0), planes=3)
    shared = item(SharedFunctionalGroupsSequence=[measured(0.5, 0.25)], PerFrameFunctionalGroupsSequence=[Dataset()])
    assert display_of(shared, 0) == Display(resolution=Resolution(4, 2, 1.0))


def test_a_colour_profile_goes_along() -> None:
    assert display_of(item(ICCProfile=b"profile!"), 0) == Display(profile=b"profile!")


@pytest.mark.parametrize(
    "image", [item(), item(PixelSpacing=[0, 0]), item(PixelSpacing=[1]), item(ImagerPixelSpacing=None)]
)
def test_what_is_missing_or_damaged_says_nothing(image: Dataset) -> None:
    assert display_of(image, 0) == Display()
    image.ICCProfile, image.WindowCenter, image.WindowWidth = b"profile!", 40, 400
    assert display_of(image, 0) == Display(profile=b"profile!", window=True)  # the rest says what it says


@pytest.mark.parametrize(
    "image",
    [
        item(WindowCenter=40, WindowWidth=400),
        item(VOILUTSequence=[item(LUTExplanation="x")]),
        item(SharedFunctionalGroupsSequence=[item(FrameVOILUTSequence=[item(WindowCenter=[40], WindowWidth=[400])])]),
    ],
)
def test_a_window_that_was_not_applied_is_known(image: Dataset) -> None:
    assert display_of(image, 0) == Display(window=True)
    assert display_of(image, 0, "window") == display_of(image, 0, "percentile") == Display()
