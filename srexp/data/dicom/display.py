"""What a DICOM object says of how its pixels are to be seen in a file of another kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydicom.dataset import Dataset

from srexp.data.display import Display, Resolution
from srexp.data.image import Intensity

# PS3.3 10.7.1, C.8.8.2: in the patient, in the plane of an RT image, at the detector, on the film that was scanned.
_SPACINGS = ("PixelSpacing", "ImagePlanePixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_MM = 1.0


def display_of(image: Dataset, frame: int, intensity: Intensity = "bits") -> Display:
    """Read off size of a pixel and colour profile; what is damaged there says nothing.

    Args:
        image: Elements of an image.
        frame: Which frame, for objects that describe each.
        intensity: Only stored values, which `bits` keeps, are still to be windowed.

    Returns:
        DICOM images are stored upright.
    """
    try:
        display = _display(image, frame)
    except Exception:  # noqa: BLE001 (values are parsed when they are asked for)
        return Display()
    return replace(display, window=display.window and intensity == "bits")


def _display(image: Dataset, frame: int) -> Display:
    per_frame, shared = (image.get(f"{which}FunctionalGroupsSequence") or [] for which in ("PerFrame", "Shared"))
    groups = [*per_frame[frame : frame + 1], *shared]
    measures = [part for group in groups for part in group.get("PixelMeasuresSequence") or []]
    sizes = [part.get(keyword) for part in (*measures, image) for keyword in _SPACINGS]
    windows = [part for group in groups for part in group.get("FrameVOILUTSequence") or []]
    size, ratio = next((size for size in sizes if _is_pair(size)), ()), image.get("PixelAspectRatio")
    ratio = ratio if _is_pair(ratio) else ()
    profile, several = image.get("ICCProfile"), (image.get("NumberOfFrames") or 1) > 1
    between = [part.get("SpacingBetweenSlices") for part in (*measures, image) if several]
    return Display(
        resolution=Resolution.of_pixel(size[::-1], _MM) or Resolution.of_pixel(ratio[::-1], None),
        profile=profile if isinstance(profile, bytes) and profile else None,
        window=any(part.get("WindowCenter") is not None or part.get("VOILUTSequence") for part in (*windows, image)),
        planes=next((float(distance) for distance in between if distance), None),
    )


def _is_pair(value: object) -> bool:
    """Whether there are two numbers, of which one alone, as some devices write, says nothing."""
    return isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2  # noqa: PLR2004
