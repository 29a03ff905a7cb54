"""The reader for each kind of image, asked in a process with bounds."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from srexp.data.display import Display, Resolution
from srexp.data.formats.readers import Question, answer, first_images
from srexp.data.formats.signatures import kind_of
from srexp.data.image import (
    Intensity,
    Kind,
    Numbers,
    Stored,
    TooManyPixelsError,
    UnreachableImageError,
    UnreadableImageError,
    refusing,
)
from srexp.data.restored_image import Origin, Provenance
from srexp.system.confinement import SECONDS, Begun, ExhaustedError, HurriedError, at_most, hurried

#: What `read_image` is given.
Image: TypeAlias = tuple[Path, int, Intensity]

#: Most images of one file.
MAX_FRAMES = 100_000
#: Time to answer from a header, on the processor: each question may be asked anew, before and after the image is read.
HEADER_SECONDS = 5.0
#: The same to describe what is made of a file, which goes through all of a header several times.
DESCRIPTION_SECONDS = 12.0
_ANSWERS = (Stored, Display, Resolution, UnreadableImageError, UnreachableImageError, TooManyPixelsError)
_LONGER = {"read": SECONDS, "stored_frame": SECONDS, "description_of": DESCRIPTION_SECONDS}
_RASTER, _REMEMBERED = ("png", "jpeg", "bmp"), 1000
# Small files are asked for several at a time: to hand one over takes as long as to decode it.
_SMALL_BYTES, _BATCH, _BATCH_SECONDS = 2**16, 16, 1.0


class _File(NamedTuple):
    """A file as it is now."""

    device: int
    number: int
    size: int
    modified: int
    changed: int


_exhausting: dict[_File, str] = {}  # those that met a bound, which would cost as much again, and which


class _Ahead(threading.local):
    """The images that a thread will read one after the other, of which the next ones are decoded meanwhile."""

    def __init__(self) -> None:
        self._coming: deque[Image] = deque()
        self._asked: dict[tuple[Any, ...], Image] = {}
        self._begun: Begun[Any, Any] | None = None
        self._decoded: dict[tuple[Any, ...], Stored] = {}

    def expect(self, images: Iterable[Image]) -> None:
        """Expect these images and no others."""
        if self._begun:
            self._begun.drop()
        self._coming, self._asked, self._begun, self._decoded = deque(images), {}, None, {}

    def take(self, key: tuple[Any, ...], image: tuple[Any, ...]) -> Callable[[], Stored] | None:
        """Give what gives an image, if that was decoded ahead or is being decoded."""
        if self._begun and key in self._asked:
            begun, self._begun = self._begun, None
            if len(self._asked) == 1:
                return begun
            with suppress(ExhaustedError, HurriedError):  # each will say so for itself
                self._decoded = dict(zip(self._asked, begun(), strict=False))
            self._coming.extendleft(reversed([each for key, each in self._asked.items() if key not in self._decoded]))
        if key in self._decoded:
            return partial(self._decoded.pop, key)
        if image in self._coming:  # those before it are passed over
            self.expect(islice(self._coming, self._coming.index(image) + 1, None))
        return None

    def go_on(self) -> None:
        """Begin with the next images, unless some are being decoded."""
        if self._begun:
            return
        self._asked = {}
        questions: list[Question] = []
        with suppress(UnreadableImageError):
            while self._coming and len(questions) < _BATCH:
                path, frame, intensity = self._coming[0]
                kind, identity = kind_of(path), _identity(path)
                small, key = identity.size <= _SMALL_BYTES, (identity, frame, intensity)
                if kind == "npy" or identity in _exhausting or key in self._asked or (questions and not small):
                    break
                self._asked[key] = self._coming.popleft()
                questions.append((kind, path.absolute(), frame, intensity))
                if not small:
                    break
        if len(questions) == 1:
            kind, path, frame, intensity = questions[0]
            self._begun = Begun(_ANSWERS, answer, kind, "read", path, frame, intensity)
        elif questions:
            with hurried(_BATCH_SECONDS):
                self._begun = Begun(_ANSWERS, first_images, questions)


_ahead = _Ahead()


def frames_in(path: Path) -> Sequence[int]:
    """List the images in a file, from its header.

    Args:
        path: An image file.

    Returns:
        What `read_image` takes as frame: 0 for most; frames of DICOM, pages of TIFF, slices of NIfTI.

    Raises:
        UnreadableImageError: The header can't be read, or claims more than `MAX_FRAMES`.
    """
    frames: Sequence[int] = _ask("frames_in", path)
    if frames[MAX_FRAMES:]:
        raise UnreadableImageError(f"claims more than the {MAX_FRAMES:,} images that srexp reads of one file")
    return frames


def shape_of(path: Path) -> tuple[int, int]:
    """Read height and width off the header.

    Args:
        path: An image file.

    Returns:
        Height and width of its first image.

    Raises:
        UnreadableImageError: The header can't be read.
    """
    shape: tuple[int, int] = _ask("shape_of", path)
    return shape


def read_image(path: Path, frame: int = 0, intensity: Intensity = "bits") -> Stored:
    """Decode one image of a file.

    Args:
        path: An image file of any kind.
        frame: Which of its images, see `frames_in`.
        intensity: `bits`: by stored bit depth; `window`: the DICOM VOI window; `percentile`: 0.5..99.5 of each image.

    Returns:
        The image.

    Raises:
        UnreadableImageError: The file can't be used, and why.
    """
    image: Stored = _ask("read", path, frame, intensity)
    _ahead.go_on()
    return image


@contextmanager
def read_ahead(images: Iterable[Image]) -> Iterator[None]:
    """Decode what this thread is about to read while it does something else.

    Args:
        images: What `read_image` will be given, in that order; some may be left out.
    """
    _ahead.expect(images)
    try:
        yield
    finally:
        _ahead.expect(())


def patient_of(path: Path) -> str:
    """Give the patient of a DICOM file. It identifies a person: it may group images and must go nowhere else.

    Args:
        path: A DICOM file.

    Returns:
        Issuer and value of PatientID.

    Raises:
        UnreadableImageError: There is none.
    """
    patient: str = _ask("patient_of", path, kind="dicom")
    return patient


def description_of(
    origin: Origin, made: Provenance, shape: tuple[int, int, int], bits: int
) -> tuple[Numbers, list[tuple[Any, ...]]]:
    """Describe what is made of a DICOM file.

    Args:
        origin: The file, and which of its frames are restored.
        made: Who made it.
        shape: (h, w, c) of each restored frame.
        bits: Bit depth that its brightness was read with.

    Returns:
        Bytes of a DICOM file up to its pixels, and for each frame the values of `dicom.stored_values.Encoding`.

    Raises:
        UnreadableImageError: A DICOM object can't hold these images.
    """
    description: tuple[Numbers, list[tuple[Any, ...]]] = _ask(
        "description_of", origin.path, origin, made, shape, bits, kind="dicom"
    )
    return description


def stored_frame(path: Path, frame: int) -> Numbers:
    """Decode a frame of a DICOM file and leave its values as they are stored.

    Args:
        path: A DICOM file.
        frame: Which frame.

    Returns:
        (h, w), or (h, w, 3); negative values where they are signed.

    Raises:
        UnreadableImageError: No image that can be used, and why.
    """
    values: Numbers = _ask("stored_frame", path, frame, kind="dicom")
    return values


class Identity(NamedTuple):
    """Which object a DICOM file is. The UIDs lead to a person and must not be shown or kept.

    Args:
        study: UID of its study, empty where it has none.
        series: UID of its series.
        instance: Its own.
        restored: Whether srexp made it.
    """

    study: str
    series: str
    instance: str
    restored: bool


def identity_of(path: Path) -> Identity:
    """Tell which object a DICOM file is.

    Args:
        path: A DICOM file.

    Raises:
        UnreadableImageError: The header can't be read.
    """
    return Identity(*_ask("identity_of", path, kind="dicom"))


def _ask(action: str, path: Path, *arguments: object, kind: Kind | None = None) -> Any:
    """Ask the reader of a file, in a process with bounds: no header says what decoding its images will cost."""
    kind = kind or kind_of(path)
    if kind == "npy" or (action == "frames_in" and kind in _RASTER):  # plain values, or nothing to be read
        return answer(kind, action, path, *arguments)
    identity = _identity(path)
    reason = _exhausting.get(identity)
    if reason is None:
        begun = _ahead.take((identity, *arguments), (path, *arguments)) if action == "read" else None
        try:
            with at_most(_LONGER.get(action, HEADER_SECONDS)):
                return (begun or Begun(_ANSWERS, answer, kind, action, path.absolute(), *arguments))()
        except ExhaustedError as error:
            reason = str(error)
        if len(_exhausting) >= _REMEMBERED:
            _exhausting.clear()
        _exhausting[identity] = reason
    raise UnreadableImageError(reason, fix="save it again without what makes it so costly, or remove it")


def _identity(path: Path) -> _File:
    with refusing("can't be read"):
        status = path.stat()
    return _File(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
