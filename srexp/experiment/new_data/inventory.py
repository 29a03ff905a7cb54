"""What is in a folder of images before it is configured: sizes, depths, names, and what can't be read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from srexp.data.formats.registry import read_image
from srexp.data.formats.signatures import kind_of
from srexp.data.image import Intensity, UnreadableImageError
from srexp.data.sources.discovery import existing_folder, image_files
from srexp.data.sources.folder import Folder
from srexp.data.sources.patients import patients_of
from srexp.data.sources.source import Item
from srexp.errors import RequestError

#: Images that are decoded; of more, as many at equal distances.
LOOKED_INTO = 200
_STRETCHED: Intensity = "percentile"
#: Patterns by which names usually tell a patient, the likeliest first; one with a slash is sought in the path.
_NUMBER = r"^(\d+)[^\d.]"
_PATTERNS = (_NUMBER, r"^([A-Za-z]+[-_]?\d+)[^\d.]", r"^(.+?)[-_]", r"([^/]+)/[^/]+$")
_FEWEST = 3  # patients: one for each split


@dataclass
class Inventory:
    """What was found.

    Args:
        root: The folder, absolute.
        files: Files by their path relative to it.
        images: How many images they hold, as far as headers tell.
        looked_into: How many of these were decoded.
        sizes: Height and width of each of those, by area.
        bits: Stored bit depths, to how many have them.
        kinds: Kinds of files, to how many there are.
        colour: How many are in colour.
        names: What names look like, with `#` for each digit, to how many look so; most frequent first.
        unreadable: Files that can't be used, to the reason.
        intensity: As which `dataset.intensity` they can be read.
    """

    root: Path
    files: dict[str, Path]
    images: int
    looked_into: int = 0
    sizes: list[tuple[int, int]] = field(default_factory=list)
    bits: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    colour: int = 0
    names: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    intensity: Intensity = "bits"
    _counted: dict[str | None, int] = field(default_factory=dict)

    @property
    def readable(self) -> dict[str, Path]:
        """The files of which nothing was found to be wrong."""
        return {name: path for name, path in self.files.items() if name not in self.unreadable}

    def patients(self, pattern: str | None) -> int:
        """Count the patients under what `dataset.patients` would say.

        Raises:
            RequestError: See `srexp.data.sources.patients.patients_of`.
        """
        if pattern not in self._counted:  # DICOM files are opened for it
            self._counted[pattern] = len(set(patients_of(self.readable, self.root, pattern)))
        return self._counted[pattern]

    @cached_property
    def suggestion(self) -> str | None:
        """Guess what tells the patient: DICOM's own number, or a part of all names; None where nothing does.

        There are as many patients as there are splits at least, and unless a number comes first, some have several
        images. The user knows better.
        """
        candidates = ["dicom"] if set(self.kinds) == {"dicom"} else []
        for pattern in (*candidates, *_PATTERNS):
            try:
                found = self.patients(pattern)
            except RequestError:
                continue
            most = len(self.readable) - (pattern not in ("dicom", _NUMBER))
            if _FEWEST <= found <= most:
                return pattern
        return None


def inventory(root: str, tell: Callable[[int, int], None] = lambda _, __: None) -> Inventory:
    """Look at a folder with the readers that a training uses.

    Args:
        root: The folder.
        tell: Told how many images were decoded, and of how many.

    Returns:
        What is there.

    Raises:
        RequestError: There is no such folder, or no image in it, or none of them can be read.
    """
    folder = existing_folder(root, "dataset.root")
    files = image_files(folder, "dataset.root")
    items = Folder("new", root).items()
    found = Inventory(folder, files, len(items), names=_names(files))
    paths = {path: name for name, path in files.items()}
    for name, path in files.items():
        try:
            found.kinds[kind_of(path)] += 1
        except UnreadableImageError as error:
            found.unreadable[name] = error.told()
    chosen = items[:: -(-len(items) // LOOKED_INTO)]
    refused = _decode(found, chosen, paths, tell, "bits")
    if any(_STRETCHED in reason for reason in refused.values()):  # floating-point values
        found.intensity = _STRETCHED
        found.bits.clear()
        found.sizes.clear()
        found.colour = 0
        refused = _decode(found, chosen, paths, tell, _STRETCHED)
    found.unreadable |= refused
    found.looked_into = len(chosen)
    found.sizes.sort(key=lambda size: (size[0] * size[1], size))
    if not found.sizes:
        name, reason = next(iter(found.unreadable.items()))
        raise RequestError(f"no image of {root} can be read: {name} {reason}", expected="images that can be read")
    return found


def _decode(
    found: Inventory,
    items: Sequence[Item],
    names: dict[Path, str],
    tell: Callable[[int, int], None],
    intensity: Intensity,
) -> dict[str, str]:
    """Decode images and count what they are; give the files that can't be used, with the reason."""
    refused: dict[str, str] = {}
    for number, item in enumerate(items, start=1):
        try:
            stored = read_image(item.path, item.frame, intensity)
        except UnreadableImageError as error:
            refused[names[item.path]] = error.told()
        else:
            found.sizes.append(stored.pixels.shape[:2])
            found.bits[stored.bits] += 1
            found.colour += stored.pixels.shape[-1] > 1
        tell(number, len(items))
    return refused


def _names(files: dict[str, Path]) -> Counter[str]:
    """Count what names look like.

    Example:
        >>> _names({"a/0001.png": Path(), "a/0002.png": Path(), "b.png": Path()})
        Counter({'####.png': 2, 'b.png': 1})
    """
    looks = Counter(re.sub(r"\d", "#", name.rpartition("/")[2]) for name in files)
    return Counter(dict(sorted(looks.items(), key=lambda each: (-each[1], each[0]))))
