"""What a data set offers before anything is decoded, and what is known of each image afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

from srexp.data.image import Intensity

Split: TypeAlias = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
OnError: TypeAlias = Literal["fail", "skip"]
Facts: TypeAlias = dict[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True)
class Item:
    """One image of a data set, not decoded.

    Args:
        key: Stable and unique name: the path relative to the root, `#3` appended for frame 3 of several; it may hold a
            patient's number, so it is never kept as it is.
        path: The file.
        frame: Which image of the file, from 0.
        patient: Whose image it is; may identify a person, so it is never logged or shown as it is.
        split: The split that the data set fixes, None where it is drawn.
        size: Height and width, where the data set knows them without opening the file.
    """

    key: str
    path: Path
    frame: int
    patient: str
    split: Split | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What decoding one image told.

    Args:
        height: Rows.
        width: Columns.
        channels: Channels as stored, 1 or 3.
        bits: Stored bit depth.
        lossy: Whether the pixels come out of a lossy compression.
        sha256: Digest of shape, bit depth and stored pixels.
        facts: What the caller's function found, for the audit.
    """

    height: int
    width: int
    channels: int
    bits: int
    lossy: bool
    sha256: str
    facts: Facts = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width


@dataclass(frozen=True, slots=True)
class Entry(Found):
    """One image after the scan: what it is, where it came from and where it belongs.

    Args:
        key: Stable and unique name: a pseudonym, unless names were asked for.
        item: As the data set listed it.
        split: Where the image belongs.
        low: What its low-resolution partner told, in a paired data set; None where `low` is computed.
    """

    key: str = field(kw_only=True)
    item: Item = field(kw_only=True)
    split: Split = field(kw_only=True)
    low: Found | None = field(default=None, kw_only=True)

    @property
    def patient(self) -> str:
        """Whose image it is; never logged or shown as it is."""
        return self.item.patient


@dataclass(frozen=True)
class Source(ABC):
    """A data set: which images there are, and how they are to be read and divided.

    Args:
        name: Name of the data set, part of the experiment's name.
        fractions: Shares of training, validation and test images, where the split is drawn; patients are never divided.
        intensity: See `srexp.data.formats.registry.read_image`.
        on_error: `fail` refuses the data set when a file can't be used, `skip` goes on without it.
        limit: Use at most this many images, of as many patients as possible and from each split alike.
        memory_mb: Memory for decoded images.
    """

    name: str
    _: KW_ONLY
    fractions: list[float] = field(default_factory=lambda: [0.8, 0.1, 0.1])
    intensity: Intensity = "bits"
    on_error: OnError = "fail"
    limit: int | None = None
    memory_mb: int = 1024

    #: Whose images these are and under what terms; empty when they are the user's own.
    attribution: ClassVar[str] = ""

    @abstractmethod
    def items(self) -> list[Item]:
        """List the images from names and headers; nothing is decoded.

        Returns:
            The images in a stable order.

        Raises:
            RequestError: The images are not there, or something about them is ambiguous.
        """
