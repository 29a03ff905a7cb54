"""What each kind of file can hold of how its pixels are to be seen; the rest is applied to them, or said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isclose

from srexp.data.display import Resolution
from srexp.data.formats.raster import LARGEST_PROFILE
from srexp.data.image import Kind
from srexp.data.restored_image import Restored


@dataclass(frozen=True, slots=True)
class _Holds:
    """What a kind of file has a place for.

    Args:
        name: What a reader calls the kind.
        unit: The unit in which it counts resolution, in mm.
        ratio: Whether it can say the shape of a pixel without its size.
        most: Largest number of pixels in a unit, which is a whole number there; None where fractions can be written.
        profile: Most bytes of a colour profile: what Pillow reads of a PNG, and 255 segments of a JPEG.
        tone: Whether it takes what a file of its kind says of colours besides.
        bits: Most bits of a grey value, and of a colour.
    """

    name: str
    unit: float
    ratio: bool
    most: int | None
    profile: int
    tone: bool = False
    bits: tuple[int, int] = (16, 16)


_HOLDS: dict[Kind, _Holds] = {
    "png": _Holds("PNG", 1000.0, ratio=True, most=2**31 - 1, profile=LARGEST_PROFILE, tone=True),
    "jpeg": _Holds("JPEG", 25.4, ratio=False, most=2**16 - 1, profile=255 * 65519, bits=(8, 8)),
    "bmp": _Holds("BMP", 1000.0, ratio=False, most=2**31 - 1, profile=0, bits=(8, 8)),
    "tiff": _Holds("TIFF", 10.0, ratio=True, most=None, profile=2**31, tone=True),
    "dicom": _Holds("DICOM", 1.0, ratio=True, most=None, profile=0, bits=(16, 8)),
}
_LARGEST, _ROUNDING = 2.0**31, 0.01


def fitted(image: Restored, source: Kind, target: Kind, scale: int, lost: list[str]) -> Restored:
    """Describe a restored image as its file can.

    Args:
        image: The image, with the description of what it was made from.
        source: What that was.
        target: What is written. DICOM and NIfTI are written from one of the same kind with its whole header.
        scale: How many times larger it became.
        lost: Gets a line for each thing that the file can't hold.

    Returns:
        The image, with what the file is to say of it.
    """
    if source == target and target in ("dicom", "nifti"):
        return image
    holds, gone = _HOLDS[target], []
    display = image.display.finer(scale)
    if source != target:  # most programs read over an orientation, so it stays only where it was
        display = display.turned()
    resolution = display.resolution
    if resolution and resolution.unit is None and holds.most:
        resolution = Resolution(*resolution.ratio(), None)
        display = replace(display, resolution=resolution)
    if resolution and not _fits(resolution, holds):
        display = replace(display, resolution=None)
        if resolution.unit or resolution.across != resolution.down:
            gone.append("size of a pixel")
    if display.profile and len(display.profile) > holds.profile:
        display = replace(display, profile=None)
        gone.append("colour profile")
    if display.tone and not (source == target and holds.tone):
        if all(kind != b"sRGB" for kind, *_ in display.tone):
            gone.append("gamma and chromaticities")
        display = replace(display, tone=())
    gone += ["place on its page"] * (display.place is not None and (source != target or display.resolution is None))
    stack = display.stack and target == "tiff"
    unknown = resolution and not resolution.unit and any(line.startswith("unit=") for line in display.stack)
    gone += ["size of a pixel"] * (bool(unknown) and not stack)
    gone += [f"size of a pixel {display.unmeasured}"] * bool(display.unmeasured)
    gone += ["colours of channels"] * ("LUTs" in dict(display.channels) and not stack)
    gone += ["range of values to be shown"] * (display.window and not stack)
    gone += ["distance between planes"] * (display.planes is not None and not stack)
    if image.bits > (most := holds.bits[image.shape[-1] > 1]):
        gone.append(f"more than {most} bits")
    lost += [f"{each} not kept, for which {holds.name} has no place" for each in gone]
    return replace(image, display=display)


def _fits(resolution: Resolution, holds: _Holds) -> bool:
    if resolution.unit is None and not holds.ratio:
        return False
    figures = resolution.per(holds.unit)
    if holds.most is None:
        return all(1 / _LARGEST < each < _LARGEST for each in figures)
    return all(isclose(each, round(each), rel_tol=_ROUNDING) and each <= holds.most for each in figures)
