"""One image that came in a request through a model: looked at, restored, and given back as the kind that it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srexp.data.formats.registry import frames_in, kind_of, shape_of
from srexp.data.image import Kind, TooManyPixelsError, UnreadableImageError
from srexp.data.restored_image import Origin
from srexp.enhance.serving.application import Look, Looked
from srexp.enhance.serving.refusals import TooLargeError, WrongKindError
from srexp.errors import RequestError
from srexp.experiment.restoration.file_restoration import Restorer

#: Kinds of images that are taken, and answered as they came, with their media types.
MEDIA_TYPES: dict[Kind, str] = {
    "png": "image/png",
    "tiff": "image/tiff",
    "jpeg": "image/jpeg",
    "bmp": "image/bmp",
    "dicom": "application/dicom",
}


def request_restoration(restorer: Restorer, max_pixels: int) -> Look:
    """Join looking, reading, restoring and writing: from file to file.

    Args:
        restorer: The model.
        max_pixels: Largest image, in pixels of the restoration.

    Returns:
        Function that looks at an image file and can then restore it. It raises `WrongKindError` for what is no image of
        a kind that is taken, `TooLargeError`, and `RequestError` for several images or a damaged one.
    """

    def look(sent: Path) -> Looked:
        with _mended_elsewhere():
            kind = _kind(sent)
            frame, pixels = _only_frame(sent, restorer.opened.scale, max_pixels)

        def restore(target: Path) -> str:
            with _mended_elsewhere():
                restorer.restore_file(Origin(sent, kind, (frame,), restorer.intensity), kind, target)
            return MEDIA_TYPES[kind]

        return Looked(pixels, restore)

    return look


@contextmanager
def _mended_elsewhere() -> Iterator[None]:
    """Say which command has the option that would help, since a request has none."""
    try:
        yield
    except UnreadableImageError as error:
        if "=" not in error.fix:
            raise
        fix = f"the command enhance, with {error.fix.replace('dataset.', '')}"
        raise UnreadableImageError(error.reason, fix=fix) from error


def _kind(path: Path) -> Kind:
    try:
        kind = kind_of(path)
    except UnreadableImageError as error:
        raise WrongKindError("the body is no image", expected=f"one of {', '.join(MEDIA_TYPES)}") from error
    if kind not in MEDIA_TYPES:
        raise WrongKindError("the server doesn't take this kind of image", got=kind, expected=", ".join(MEDIA_TYPES))
    return kind


def _only_frame(path: Path, scale: int, most: int) -> tuple[int, int]:
    """Look at the header: nothing is decoded that is too large, or more than one image; thumbnails don't count.

    Returns:
        The image's number in the file, and the pixels of its restoration.
    """
    try:
        height, width = shape_of(path)
    except TooManyPixelsError as error:
        raise TooLargeError(error.told()) from error
    pixels = height * width * scale**2
    if pixels > most:
        raise TooLargeError(
            "the image is too large", got=f"{height} x {width}", expected=f"a restoration of at most {most} pixels"
        )
    frames = frames_in(path)
    if len(frames) != 1:
        raise RequestError("the file has several images", expected="one image in a request")
    return frames[0], pixels
