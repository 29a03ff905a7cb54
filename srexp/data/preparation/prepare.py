"""From a data set to entries in splits: every image is decoded once and checked before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from srexp.data.formats.registry import read_image, shape_of
from srexp.data.image import Intensity, Stored, UnreadableImageError, to_channel
from srexp.data.preparation.decoded_cache import through_disk
from srexp.data.preparation.manifest import fingerprint, manifest_rows
from srexp.data.preparation.memory_cache import MemoryCache, memory_cache
from srexp.data.preparation.request import Preparation
from srexp.data.preparation.scan import Scan
from srexp.data.preparation.split import draw_splits
from srexp.data.sources.paired import Pair, size_offence
from srexp.data.sources.source import SPLITS, Entry, Found, Item, Source, Split
from srexp.errors import RequestError
from srexp.system.masking.pseudonyms import pseudonym, pseudonymised, remember

_PROBED = 200
_LISTED = 1000


@dataclass(frozen=True)
class Prepared:
    """A data set ready for training.

    Args:
        entries: The images of each split, `train`, `validation` and `test`.
        fingerprint: One number for content and split, see `srexp.data.preparation.manifest.fingerprint`.
        skipped: Name, as of an entry, and reason of each file that was left out.
        asked: What it was prepared for.
        intensity: How values become a range.
        memory: The images used last.
    """

    entries: dict[Split, list[Entry]]
    fingerprint: str
    skipped: list[tuple[str, str]]
    asked: Preparation
    intensity: Intensity
    memory: MemoryCache

    def read(self, entry: Entry) -> Stored:
        """Give an image in the channel that is trained; safe to call from several threads.

        Args:
            entry: Which image.

        Returns:
            The image, decoded unless it is still in memory or on disk.

        Raises:
            UnreadableImageError: The file has gone or changed since the scan.
        """
        return self.memory(entry.sha256, lambda: self._fetch(entry))

    def _fetch(self, entry: Entry) -> Stored:
        if self.asked.decoded_dir is None:
            return self._decode(entry.item)
        path = self.asked.decoded_dir / f"{entry.sha256}-{self.asked.channel}.npy"
        return through_disk(path, entry.bits, lossy=entry.lossy, decode=lambda: self._decode(entry.item))

    def _decode(self, item: Item) -> Stored:
        return to_channel(read_image(item.path, item.frame, self.intensity), self.asked.channel)

    def read_low(self, entry: Entry) -> Stored:
        """Give the low-resolution partner of an image of a paired data set, as `read` gives the image.

        Args:
            entry: Which image.

        Returns:
            Its partner, decoded unless it is still in memory.

        Raises:
            UnreadableImageError: There is no partner, or its file has gone or changed since the scan.
        """
        if not isinstance(entry.item, Pair) or entry.low is None:
            raise UnreadableImageError("has no low-resolution partner", fix="dataset=paired, or another degradation")
        low = entry.item.low
        return self.memory(entry.low.sha256, lambda: self._decode(low))

    def manifest(self) -> list[dict[str, str | int | bool]]:
        """Describe each image, its patient by a pseudonym.

        Returns:
            See `srexp.data.preparation.manifest.manifest_rows`.
        """
        return manifest_rows([entry for split in SPLITS for entry in self.entries[split]])


def prepare(source: Source, asked: Preparation) -> Prepared:
    """List, decode and check the images of a data set, and draw its splits.

    Args:
        source: The data set.
        asked: What the task asks of its images.

    Returns:
        The prepared data set.

    Raises:
        RequestError: Files that can't be used (all of them are named) under `on_error=fail`, or too few patients.
    """
    items = source.items()
    remember(item.key for item in items)
    memory = memory_cache(source.memory_mb * 2**20)
    scan = Scan(source.intensity, asked, memory)
    found, refused = scan.run(items)
    lows, refused_lows = _partners(items, scan)
    refused += refused_lows
    least = asked.scored if asked.all_in or source.on_error == "skip" else 1
    good = []
    for item, result in ((item, result) for item, result in zip(items, found, strict=True) if result):
        low = lows.get(item.key)
        patch = 0 if asked.all_in else asked.patch_size
        if offence := _offence(result.size, low.size if low else None, asked.scale, patch, least):
            refused.append((item.key, offence))
        elif low or not isinstance(item, Pair):
            good.append((item, result))
    if refused and (source.on_error == "fail" or not good):
        raise _refusal(refused, len(items))
    drawn = {} if asked.all_in else _draw([item for item, _ in good], source, asked.seed, listed=items)
    entries = _split(good, lows, drawn, asked)
    return Prepared(
        entries=entries,
        fingerprint=fingerprint(entry for split in SPLITS for entry in entries[split]),
        skipped=refused if asked.names else pseudonymised(refused),
        asked=asked,
        intensity=source.intensity,
        memory=memory,
    )


def probe_request(
    source: Source, patch_size: int, scale: int = 1, *, seed: int = 0, scored: int = 1
) -> dict[Split, list[tuple[str, tuple[int, int] | None]]]:
    """Check what can be told in a moment: the files are there, patients suffice, headers are sound and large enough.

    Args:
        source: The data set.
        patch_size: Smallest height and width, in high-resolution pixels.
        scale: See `prepare`.
        seed: See `prepare`.
        scored: See `prepare`.

    Returns:
        The images of each split by name, and height and width of those whose headers were read.

    Raises:
        RequestError: What `prepare` would refuse, as far as names and the headers of some files tell.
    """
    items = source.items()
    refused, sizes = [], {}
    step = -(-len(items) // _PROBED)
    least = scored if source.on_error == "skip" else 1
    for item in items[::step]:
        try:
            low = shape_of(item.low.path) if isinstance(item, Pair) else None
            sizes[item.key] = item.size or shape_of(item.path)
            offence = _offence(sizes[item.key], low, scale, patch_size, least)
        except UnreadableImageError as error:
            offence = error.told()
        if offence:
            refused.append((item.key, offence))
    if refused and (source.on_error == "fail" or len(refused) == len(items)):
        raise _refusal(refused, len(items))
    left = [item for item in items if item.key not in dict(refused)]
    drawn = _draw(left, source, seed, listed=items)
    found: dict[Split, list[tuple[str, tuple[int, int] | None]]] = {split: [] for split in SPLITS}
    for item in left:
        found[item.split or drawn[item.patient]].append((item.key, sizes.get(item.key)))
    _require_each(found, len(left))
    return found


def _partners(items: Sequence[Item], scan: Scan) -> tuple[dict[str, Found], list[tuple[str, str]]]:
    """Decode the low-resolution partners of a paired data set, by the keys of the high ones; others have none."""
    pairs = [item for item in items if isinstance(item, Pair)]
    found, refused = scan.run([pair.low for pair in pairs])
    lows = {pair.key: result for pair, result in zip(pairs, found, strict=True) if result}
    return lows, [(f"the low-resolution partner {key}", reason) for key, reason in refused]


def _split(
    good: Sequence[tuple[Item, Found]], lows: Mapping[str, Found], drawn: Mapping[str, Split], asked: Preparation
) -> dict[Split, list[Entry]]:
    entries: dict[Split, list[Entry]] = {split: [] for split in SPLITS}
    for item, found in good:
        split = asked.all_in or item.split or drawn[item.patient]
        told = {each.name: getattr(found, each.name) for each in fields(Found)}
        key = item.key if asked.names else pseudonym(item.key)
        entries[split].append(Entry(**told, key=key, item=item, split=split, low=lows.get(item.key)))
    if asked.all_in is None:
        _require_each(entries, len(good))
    return entries


def _require_each(splits: Mapping[Split, Sequence[object]], images: int) -> None:
    """Refuse a split without an image."""
    if lacking := [split for split in SPLITS if not splits[split]]:
        raise RequestError(
            f"no image is left for {' and '.join(lacking)}",
            got=f"{images} images",
            expected="at least one image in each of training, validation and test",
            fix="raise dataset.limit, or mend the files that were skipped",
        )


def _draw(items: Sequence[Item], source: Source, seed: int, *, listed: Sequence[Item]) -> dict[str, Split]:
    """Draw the splits of the patients whose images have none, among those that no image of the data set has."""
    fixed = {item.split for item in listed}
    among = [split for split in SPLITS if split not in fixed]
    patients = [item.patient for item in items if item.split is None]
    return draw_splits(patients, source.fractions, seed, among=among) if patients else {}


def _offence(
    size: tuple[int, int], low: tuple[int, int] | None, scale: int, patch_size: int, scored: int = 1
) -> str | None:
    """Say why an image can't be used: it is smaller than a patch or than what is scored, or its partner doesn't fit."""
    fitting = min(size) // scale * scale
    if fitting >= max(patch_size, scored):
        return low and size_offence(size, low, scale)
    cropped = f", {fitting} when cropped to a multiple of scale={scale}," if fitting != min(size) else ""
    found = f"is {size[0]} x {size[1]} pixels{cropped} and so"
    if fitting >= patch_size:
        return f"{found} too small to be scored: SSIM's window inside the border needs {scored} x {scored}"
    return (
        f"{found} smaller than a patch of {patch_size} x {patch_size} "
        f"(fix: trainer.patch_size={fitting}, or larger images)"
    )


def _refusal(refused: Sequence[tuple[str, str]], total: int) -> RequestError:
    """Name every file that can't be used, those with the same reason together."""
    images = Counter((reason, key.rpartition("#")[0] or key) for key, reason in refused)
    files: dict[str, list[str]] = {}
    for (reason, file), count in list(images.items())[:_LISTED]:
        files.setdefault(reason, []).append(f"{file} ({count} images)" if count > 1 else file)
    lines: list[str] = []
    for reason, names in files.items():
        one = len(names) == 1
        lines += [f"{names[0]}: {reason}"] if one else [f"{len(names)} files: {reason}", f"  {', '.join(names)}"]
    if len(images) > _LISTED:
        lines.append(f"and {len(images) - _LISTED} more files")
    return RequestError(
        f"{len(refused)} of {total} images can't be used:",
        lines=lines,
        expected="images that can be read, and are large enough",
        fix="mend or remove these files"
        + (", or leave them out with dataset.on_error=skip" if len(refused) < total else ", and add others"),
    )
