"""Geometry of an enlarged DICOM image: the same millimetres, with more and smaller pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from srexp.data.dicom.attributes import MEASURED, UNITS, Change, of_this_image
from srexp.data.dicom.elements import items, label, nested, numbers, text
from srexp.data.image import UnreadableImageError

_RULES: dict[Change, Callable[[float, int], float]] = {
    Change.SPACING: lambda p, s: p / s,
    Change.LENGTH: lambda p, s: p * s,
    Change.CENTRE_FROM_0: lambda p, s: (p + 0.5) * s - 0.5,
    Change.CENTRE_FROM_1: lambda p, s: (p - 0.5) * s + 0.5,
    Change.FIRST_FROM_1: lambda p, s: (p - 1) * s + 1,
    Change.LAST_FROM_0: lambda p, s: (p + 1) * s - 1,
}
# Position of the first pixel: directions of rows and columns, spacing, number of coordinates.
_CORNERS = {
    "ImagePositionPatient": ("ImageOrientationPatient", "PixelSpacing", 3),
    "ImagePosition": ("ImageOrientation", "PixelSpacing", 3),
    "ImagePositionVolume": ("ImageOrientationVolume", "PixelSpacing", 3),
    "RTImagePosition": ("RTImageOrientation", "ImagePlanePixelSpacing", 2),
}
_RT_UPRIGHT = [1.0, 0.0, 0.0, 0.0, -1.0, 0.0]  # C.8.8.2: the receptor's y axis points up the columns
_MACROS = ("PixelMeasuresSequence", "PlaneOrientationSequence", "PlaneOrientationVolumeSequence")
_COSINES = 3
_LIMITS = {
    "US": (0, 2**16 - 1),
    "UL": (0, 2**32 - 1),
    "SS": (-(2**15), 2**15 - 1),
    "SL": (-(2**31), 2**31 - 1),
    "IS": (-(2**31), 2**31 - 1),
}


def scale_geometry(image: Dataset, scale: int) -> None:
    """Divide the distances between pixels, and move what is counted in pixels, wherever it stands.

    The outer edges of the image stay where they were in the patient. The first pixel becomes smaller, so its centre
    moves towards the corner, by half of what the pixel's side lost.

    Args:
        image: Elements of an image; they change in place.
        scale: How many times more pixels there are along each axis.

    Raises:
        UnreadableImageError: An element that has to change can't, which is named.
    """
    if scale > 1:
        _move_corners([image], items(image, "SharedFunctionalGroupsSequence")[:1], scale)
        _recount(image, scale)


def _parts(dataset: Dataset) -> list[Dataset]:
    """List the items directly below a data set that describe the same image."""
    return [item for keyword, item in nested(dataset) if of_this_image(keyword)]


def _move_corners(above: Sequence[Dataset], shared: Sequence[Dataset], scale: int) -> None:
    """Move the centre of each first pixel; spacings, here or above, are still those of the original."""
    place, places = above[0], [*above[:-1], *shared, above[-1]]
    for keyword, (orientation, spacing, length) in _CORNERS.items():
        if not (corner := numbers(place, keyword, length)):
            continue
        steps = _nearest(places, spacing, 2)
        axes = _nearest(places, orientation, 2 * _COSINES) or (_RT_UPRIGHT if length < _COSINES else [])
        if not steps or not axes:
            raise UnreadableImageError(
                f"has {label(keyword)} and no {label(orientation if steps else spacing)}, "
                "so the place of smaller pixels can't be told",
                fix="format=png or format=tiff, which keep the pixels alone",
            )
        across, down = (step * (1 / scale - 1) / 2 for step in reversed(steps))
        moved = [corner[i] + across * axes[i] + down * axes[i + _COSINES] for i in range(length)]
        _put(place, keyword, moved)
    for part in _parts(place):
        _move_corners([part, *above], shared, scale)


def _recount(part: Dataset, scale: int) -> None:
    """Apply the rule of each attribute here and below."""
    _keep_reference(part, scale)
    for keyword in map(keyword_for_tag, list(part.keys())):
        rule = _RULES.get(MEASURED[keyword]) if keyword in MEASURED else None
        if rule and _counts_pixels(part, keyword):
            _put(part, keyword, [rule(value, scale) for value in numbers(part, keyword)])
    for item in _parts(part):
        _recount(item, scale)


def _keep_reference(region: Dataset, scale: int) -> None:
    """Make up for the rounding of an ultrasound region's reference pixel in its physical value (C.8.5.5.1.7)."""
    for axis in ("X", "Y"):
        place = f"ReferencePixel{axis}0", f"ReferencePixelPhysicalValue{axis}", f"PhysicalDelta{axis}"
        if numbers(region, place[0], 1) and all(found := [numbers(region, keyword, 1) for keyword in place]):
            (pixel,), (physical,), (step,) = found
            exact = _RULES[Change.CENTRE_FROM_0](pixel, scale)
            _put(region, place[1], [physical + (round(exact) - exact) * step / scale])


def _counts_pixels(part: Dataset, keyword: str) -> bool:
    """Tell whether a place in a drawing is one among this image's pixels, as its units say."""
    units = [text(part, unit) for unit in UNITS.get(keyword, ())]
    return not units or any(unit in ("PIXEL", "MATRIX") for unit in units)


def _put(part: Dataset, keyword: str, values: Sequence[float]) -> None:
    """Write numbers as the element's kind of value holds them.

    Raises:
        UnreadableImageError: They don't fit.
    """
    if not values:
        return
    element = part[keyword]
    if limits := _LIMITS.get(element.VR):
        low, high = limits
        values = [round(value) for value in values]
        if beyond := [value for value in values if not low <= value <= high]:
            raise UnreadableImageError(
                f"would have {beyond[0]} as {label(keyword)}, where {low} to {high} fit", fix="choose a smaller scale"
            )
    elif element.VR == "DS":
        values = [DSfloat(value, auto_format=True) for value in values]  # at most 16 characters
    element.value = values


def _nearest(places: Sequence[Dataset], keyword: str, count: int) -> list[float]:
    """Take an element from the first place that has it, by itself or in its functional group of one item."""
    for place in places:
        for holder in (place, *(item for macro in _MACROS for item in items(place, macro)[:1])):
            if found := numbers(holder, keyword, count):
                return found
    return []
