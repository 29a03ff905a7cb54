"""Geometry of an enlarged DICOM image: the same millimetres, with more and smaller pixels."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import DSfloat

# Distances between pixels (PS3.3 C.7.6.2, C.8.7.1, 10.7), and edges counted in pixels (C.7.6.11, C.8.7.3).
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "ObjectPixelSpacingInCenterOfBeam")
_EDGES = ("{}LeftVerticalEdge", "{}RightVerticalEdge", "{}UpperHorizontalEdge", "{}LowerHorizontalEdge")
_POINTS = ("CenterOfCircular{}", "VerticesOfThePolygonal{}")
_POSITIONS = tuple(name.format(what) for what in ("Shutter", "Collimator") for name in _EDGES + _POINTS)
_LENGTHS = ("RadiusOfCircularShutter", "RadiusOfCircularCollimator")
_NESTED = (
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "PixelMeasuresSequence"),
    *("PlanePositionSequence", "DetectorInformationSequence", "XRayCollimatorSequence"),
)
_PATIENT_AXES = 3


def scale_geometry(image: Dataset, scale: int) -> None:
    """Divide the distances between pixels, and move what is counted in pixels.

    The outer edges of the image stay where they were in the patient. The first pixel becomes smaller, so its centre
    moves towards the corner, by half of what the pixel's side lost.

    Args:
        image: Elements of an image; they change in place.
        scale: How many times more pixels there are along each axis.
    """
    if scale == 1:
        return
    _move_corners(image, scale)
    _scale_lengths(image, scale)
    for region in image.get("SequenceOfUltrasoundRegions") or []:
        _scale_region(region, scale)


def _move_corners(image: Dataset, scale: int) -> None:
    """Move the centre of each frame's first pixel; spacings are still those of the original."""
    shared = _first(image, "SharedFunctionalGroupsSequence")
    frames = list(image.get("PerFrameFunctionalGroupsSequence") or [])
    detectors = list(image.get("DetectorInformationSequence") or [])
    for part in [image, *detectors, shared, *frames]:
        place = part if part in (image, *detectors) else _first(part, "PlanePositionSequence")
        described = [place, part, shared, image]
        spacing = _numbers(described, "PixelMeasuresSequence", "PixelSpacing", 2)
        axes = _numbers(described, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
        corner = _numbers([place], "", "ImagePositionPatient", 3)
        if place is None or spacing is None or axes is None or corner is None:
            continue
        across, down = (step * (1 / scale - 1) / 2 for step in (spacing[1], spacing[0]))
        moved = [corner[i] + across * axes[i] + down * axes[i + _PATIENT_AXES] for i in range(_PATIENT_AXES)]
        place.ImagePositionPatient = [_decimal(value) for value in moved]


def _scale_lengths(part: Dataset, scale: int) -> None:
    """Divide spacings and multiply edges in an image and its functional groups."""
    for keyword in _SPACINGS:
        if part.get(keyword):
            part[keyword].value = [_decimal(float(value) / scale) for value in part[keyword].value]
    for keyword in _POSITIONS:
        value = part.get(keyword)
        if value not in (None, ""):
            several = isinstance(value, MultiValue)
            moved = [_scaled_position(int(each), scale) for each in (value if several else [value])]
            part[keyword].value = moved if several else moved[0]
    for keyword in _LENGTHS:
        if part.get(keyword) not in (None, ""):
            part[keyword].value = int(part[keyword].value) * scale
    for keyword in _NESTED:
        for item in part.get(keyword) or []:
            _scale_lengths(item, scale)


def _scale_region(region: Dataset, scale: int) -> None:
    """Describe a region of an ultrasound image, which is counted from pixel 0 (PS3.3 C.8.5.5.1)."""
    for name in ("X", "Y"):
        for end in (0, 1):
            edge = f"RegionLocation{'Min' if end == 0 else 'Max'}{name}{end}"
            if edge in region:
                region[edge].value = (int(region[edge].value) + end) * scale - end
        if (reference := f"ReferencePixel{name}0") in region:
            region[reference].value = round((int(region[reference].value) + 0.5) * scale - 0.5)
        if (step := f"PhysicalDelta{name}") in region:
            region[step].value = float(region[step].value) / scale


def _scaled_position(position: int, scale: int) -> int:
    """Move a pixel counted from 1 by its centre."""
    return round((position - 0.5) * scale + 0.5)


def _numbers(places: list[Dataset | None], macro: str, keyword: str, count: int) -> list[float] | None:
    """Take an element from the first place that has it, in its functional group or by itself."""
    for place in places:
        for holder in (_first(place, macro), place):
            values = holder.get(keyword) if holder is not None else None
            if values and len(values) == count:
                return [float(value) for value in values]
    return None


def _first(part: Dataset | None, sequence: str) -> Dataset | None:
    items = part.get(sequence) if part is not None and sequence else None
    return items[0] if items else None


def _decimal(value: float) -> DSfloat:
    return DSfloat(value, auto_format=True)  # at most 16 characters
