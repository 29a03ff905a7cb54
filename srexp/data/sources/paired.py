"""Two folders with the same images, truly low and truly high: an old machine and a new one."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from srexp.data.image import UnreadableImageError
from srexp.data.sources.folder import Folder
from srexp.data.sources.limit import spread
from srexp.data.sources.source import Item, Source
from srexp.data.sources.table import composed
from srexp.errors import RequestError, some
from srexp.system.masking.pseudonyms import remember


@dataclass(frozen=True, slots=True)
class Pair(Item):
    """One high-resolution image and its low-resolution partner.

    Args:
        low: The partner.
    """

    low: Item = field(kw_only=True)


@dataclass(frozen=True)
class Paired(Source):
    """Images of `high`, each with its partner of the same relative name in `low`; extensions may differ.

    Args:
        root: Folder that holds the two.
        low: Folder of the low-resolution images, relative to the root.
        high: Folder of the high-resolution images, relative to the root.
        patients: See `srexp.data.sources.patients.patients_of`; it is sought in the names below `high`.

    Raises:
        RequestError: From `items`: no such folder, an image without a partner or with two, or with that of another
            patient, where both are DICOM and `patients=dicom`.
    """

    root: str
    low: str = "low"
    high: str = "high"
    patients: str | None = None

    def items(self) -> list[Item]:
        """List a `Pair` for each high-resolution image, in the order of their keys."""
        root = Path(self.root).expanduser()
        highs = _by_name("dataset.high", Folder(self.name, str(root / self.high), patients=self.patients))
        lows = _by_name("dataset.low", Folder(self.name, str(root / self.low)))
        _require_partners("dataset.low", root / self.low, lacking=highs.keys() - lows.keys())
        _require_partners("dataset.high", root / self.high, lacking=lows.keys() - highs.keys())
        pairs: list[Item] = [
            Pair(high.key, high.path, high.frame, high.patient, low=lows[name]) for name, high in highs.items()
        ]
        if self.patients == "dicom":
            _require_same_patients(highs, lows)
        return spread(pairs, self.limit)


def size_offence(high: tuple[int, int], low: tuple[int, int], scale: int) -> str | None:
    """Say why the sizes of a pair don't fit together.

    Args:
        high: Height and width.
        low: Height and width; where `scale` doesn't divide `high`, it may be rounded down or up.
        scale: Factor between them.

    Returns:
        The reason, None when they fit.

    Example:
        >>> size_offence((512, 400), (128, 100), 2)
        'is 512 x 400 and its low-resolution partner 128 x 100 instead of 256 x 200 (fix: scale=4)'
        >>> size_offence((513, 401), (256, 201), 2)
    """
    if all(long // scale <= short <= -(-long // scale) for long, short in zip(high, low, strict=True)):
        return None
    ratio = round(high[0] / low[0])
    fitting = ratio > 0 and ratio != scale and size_offence(high, low, ratio) is None
    return (
        f"is {high[0]} x {high[1]} and its low-resolution partner {low[0]} x {low[1]} instead of "
        f"{high[0] // scale} x {high[1] // scale}" + (f" (fix: scale={ratio})" if fitting else "")
    )


def _by_name(key: str, folder: Folder) -> dict[str, Item]:
    """List a folder by what both files of a pair are called; errors name the key that the folder came from."""
    try:
        items = folder.items()
    except RequestError as error:
        what, expected, fix = (text.replace("dataset.root", key) for text in (error.what, error.expected, error.fix))
        raise RequestError(what, got=error.got, expected=expected, fix=fix) from error
    named: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        named[_common_name(item)].append(item)
    twice = [same for same in named.values() if len(same) > 1]
    if twice:
        raise RequestError(
            f"{key} has {len(twice)} names twice, with different extensions",
            got=", ".join(item.key for item in twice[0]),
            expected="one file of each name, so that it is clear which belongs to the pair",
            fix="remove all but one of them",
        )
    return {name: only[0] for name, only in named.items()}


def _common_name(item: Item) -> str:
    """Leave out the extension, which may differ within a pair; numbers after a dot are part of a DICOM file's name."""
    path, mark, frame = item.key.rpartition("#") if item.key.endswith(f"#{item.frame}") else (item.key, "", "")
    name = PurePosixPath(path[: -len(".gz")] if path.lower().endswith(".nii.gz") else path)
    common = f"{name if name.suffix[1:].isdecimal() else name.with_suffix('')}{mark}{frame}"
    return unicodedata.normalize("NFC", common)  # copies from macOS have another form of accents


def _require_same_patients(highs: Mapping[str, Item], lows: Mapping[str, Item]) -> None:
    """Refuse partners whose PatientID is another one: a network would learn to make one patient of the other."""
    from srexp.data.formats.registry import patient_of

    others = []
    for name, low in lows.items():
        with suppress(UnreadableImageError):  # it isn't DICOM, or says nothing
            found, wanted = composed(patient_of(low.path)), highs[name].patient
            if found[found.find("/") :] != wanted[wanted.find("/") :]:  # the issuer may be left out
                others.append(low.key)
    if others:
        remember(others)
        raise RequestError(
            f"dataset.low has {len(others)} images of another patient than their partners: {some(others, 5)}",
            got="another PatientID (0010,0020)",
            expected="both images of a pair of one patient",
            fix="rename the files, whose names make pairs; or dataset.patients=PATTERN, if the identifiers don't tell",
        )


def _require_partners(key: str, folder: Path, lacking: Collection[str]) -> None:
    if lacking:
        remember(lacking)
        raise RequestError(
            f"{key} lacks the partner of {len(lacking)} images: {some(sorted(lacking), 5)}",
            got=str(folder),
            expected="the same relative names in dataset.low and dataset.high, whatever their extensions",
            fix="add the missing files, or remove their partners",
        )
