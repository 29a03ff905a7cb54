"""The images of a request, looked at before anything is decoded: of which kind, which of a file, how large."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, get_args

from srexp.data.formats.registry import frames_in, read_image, shape_of
from srexp.data.formats.signatures import kind_of
from srexp.data.image import Intensity, Kind, TooManyPixelsError, UnreadableImageError
from srexp.enhance.serving.refusals import TooLargeError, WrongKindError
from srexp.errors import RequestError

#: Kinds of images that are taken, and answered as they came, with their media types.
MEDIA_TYPES: dict[Kind, str] = {
    "png": "image/png",
    "tiff": "image/tiff",
    "jpeg": "image/jpeg",
    "bmp": "image/bmp",
    "dicom": "application/dicom",
}


class Asked(NamedTuple):
    """One image of a file.

    Args:
        path: The file.
        kind: What it is.
        frame: Position of the image in the file, as readers count.
        frames: Images of the file.
        height: Rows.
        width: Columns.
        intensity: How its stored values become a range.
    """

    path: Path
    kind: Kind
    frame: int
    frames: int
    height: int
    width: int
    intensity: Intensity


@contextmanager
def mended_elsewhere() -> Iterator[None]:
    """Say which command has the option that would help, since a request has none."""
    try:
        yield
    except UnreadableImageError as error:
        if "=" not in error.fix:
            raise
        fix = f"the command enhance, with {error.fix.replace('dataset.', '')}"
        raise UnreadableImageError(error.reason, fix=fix) from error


@mended_elsewhere()
def asked_image(
    path: Path, options: Mapping[str, str], *, most: int, scale: int = 1, intensity: Intensity = "bits"
) -> Asked:
    """Look at a file's header: nothing is decoded that is too large; thumbnails don't count.

    Args:
        path: The file.
        options: `frame`, from 0, says which of several images is meant; of one image it says nothing.
        most: Pixels that the image may have once it is enlarged.
        scale: How many times that will be, along each axis.
        intensity: How its stored values become a range.

    Returns:
        The image.

    Raises:
        WrongKindError: It is no image of a kind that is taken.
        TooLargeError: It has more pixels.
        RequestError: It is damaged, has several images of which none is named, or not the one that is.
    """
    kind = _kind(path)
    try:
        height, width = shape_of(path)
    except TooManyPixelsError as error:
        raise TooLargeError(error.told()) from error
    _require_size(height, width, scale, most)
    frames = frames_in(path)
    if len(frames) > 1 and "frame" not in options:
        raise RequestError(
            "the file has several images", expected="one image in a request", fix=f"?frame=0 to {len(frames) - 1}"
        )
    number = whole_number(options, "frame", 0, range(len(frames))) if len(frames) > 1 else 0
    if number and kind == "tiff":  # whose pages differ in size
        height, width = read_image(path, frames[number], intensity).pixels.shape[:2]
        _require_size(height, width, scale, most)
    return Asked(path, kind, frames[number], len(frames), height, width, intensity)


def whole_number(options: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    """Read a number of a query.

    Args:
        options: The query.
        name: What it is called there.
        default: What it is where the query doesn't say it.
        allowed: What it may be.

    Raises:
        RequestError: It is something else.

    Example:
        >>> whole_number({"frame": "3"}, "frame", 0, range(5)), whole_number({}, "frame", 0, range(5))
        (3, 0)
    """
    said = options.get(name, str(default))
    number = int(said) if said.isascii() and said.isdigit() and len(said) < len(str(allowed.stop)) + 1 else -1
    if number not in allowed:
        raise RequestError(
            f"{name} is out of range", got=said[:20], expected=f"a number from {allowed.start} to {allowed[-1]}"
        )
    return number


def intensity_of(options: Mapping[str, str]) -> Intensity:
    """Read of a query how stored values become a range; `bits` where it isn't said.

    Raises:
        RequestError: There is no such way.
    """
    said = options.get("intensity", "bits")
    for each in get_args(Intensity):
        if said == each:
            return each  # type: ignore[no-any-return]
    raise RequestError("there is no such intensity", got=said[:20], expected=", ".join(get_args(Intensity)))


def _kind(path: Path) -> Kind:
    try:
        kind = kind_of(path)
    except UnreadableImageError as error:
        raise WrongKindError("the body is no image", expected=f"one of {', '.join(MEDIA_TYPES)}") from error
    if kind not in MEDIA_TYPES:
        raise WrongKindError("the server doesn't take this kind of image", got=kind, expected=", ".join(MEDIA_TYPES))
    return kind


def _require_size(height: int, width: int, scale: int, most: int) -> None:
    if height * width * scale**2 > most:
        what = "a restoration" if scale > 1 else "an image"
        raise TooLargeError(
            "the image is too large", got=f"{height} x {width}", expected=f"{what} of at most {most} pixels"
        )
