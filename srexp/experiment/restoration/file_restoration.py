"""One file through a model: read, restored, and written as the kind that it was."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path

from srexp.config.sections.verbs import RestoreConfig
from srexp.data.degradation.imresize import enlarged_rows
from srexp.data.degradation.reduced_again import Distance, ReducedAgain
from srexp.data.formats.registry import read_image
from srexp.data.formats.writers import write_images
from srexp.data.image import Intensity, Kind, UnreadableImageError
from srexp.data.preparation.index import installed_version
from srexp.data.restored_image import Origin, Provenance, Restored
from srexp.enhance.colour import for_colour
from srexp.enhance.predict import strip_predictor
from srexp.enhance.receptive_field import receptive_field
from srexp.enhance.runtimes.choice import FULL, Chosen, RuntimeName, choose
from srexp.enhance.self_ensemble import self_ensemble
from srexp.enhance.tiling import joined, tile_shape
from srexp.errors import SrexpError
from srexp.evaluation.figures.spread_map import Levels, Spread, in_grey_levels, spread_map, summary
from srexp.experiment.restoration.reference_images import pairs
from srexp.experiment.trained.loaded_model import Opened
from srexp.system.memory import give_back_freed_memory, keep_no_freed_memory, rss_mb
from srexp.types import Pixels

#: Memory for activations, in MiB, below which halos would be most of every tile.
LEAST_MB = 48

_SMALL_MB = 192
_SHARE_RACED = 16  # part of the memory that each runtime has which is measured
_IMAGE_MB = 128  # room for a radiograph and what is written of it
_AHEAD_MB = 192  # for one more, which is written meanwhile
_SHARE_AHEAD = 4  # part of what is left that it may take
_STORED_BYTES = 2  # of a value that is written, beside the one that was computed


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """An image of a file, read to be restored.

    Args:
        number: The how-manieth of those of its file that are restored.
        low: Its pixels.
        restored: What it becomes, without its rows.
        levels: Where its eight restorations lie apart, once its first rows are there and where that was asked for.
    """

    number: int
    low: Pixels
    restored: Restored
    levels: list[Levels]


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows (rows, w, c) of what an image became, and whether they are its last ones."""

    source: Source
    strip: Pixels
    last: bool


@dataclass(frozen=True)
class Restorer:
    """A model with all that decides what it makes of an image.

    Args:
        opened: The model.
        intensity: How stored values become a range.
        self_ensemble: Whether to average over rotations and reflections.
        memory_mb: MiB that the process should stay below.
        spread: Whether to say how far the eight images of the self-ensemble lie apart.
        chosen: What computes the network; None for Keras.
        tile_pixels: Pixels of the restoration that are computed at a time, where the memory allows more.
        on_tiles: Called with the number of tiles of each image, before the first one is computed.
        ahead: Whether an image is restored while the one before it is written, and shares the memory with it.
    """

    opened: Opened
    intensity: Intensity
    self_ensemble: bool
    memory_mb: int
    spread: bool = False
    chosen: Chosen | None = None
    tile_pixels: float = math.inf
    on_tiles: Callable[[int], object] = lambda _: None
    ahead: bool = False

    @cached_property
    def made(self) -> Provenance:
        """Who made the images, for files that say so."""
        loaded = self.opened.loaded
        decides = [loaded.sha256, self.opened.scale, self.opened.channel, self.intensity, self.self_ensemble]
        decides += [self.chosen.runtime, self.chosen.precision] if self.chosen else []
        identity = hashlib.sha256(json.dumps([*decides, installed_version()]).encode()).hexdigest()
        found = loaded.found
        model = f"{found.label} ({found.address})" if found.registered else found.label
        return Provenance(model, identity, installed_version(), self.opened.scale)

    @cached_property
    def _memory_mb(self) -> tuple[float, float]:
        """Share the memory that is left: for the network, and for one more image that is written meanwhile."""
        images_mb = _IMAGE_MB * (1 + self.self_ensemble + 2 * self.spread)  # it adds up in one more
        give_back_freed_memory()  # as of runtimes that were measured and not chosen
        left = self.memory_mb - rss_mb() - images_mb
        ahead = min(_AHEAD_MB, max(0, left / _SHARE_AHEAD)) if self.ahead else 0
        return max(LEAST_MB, left - ahead), ahead

    def leaves_room(self, part: Part) -> bool:
        """Whether the next image may be restored while the one that this is of is written."""
        bytes_of_value = part.strip.itemsize + _STORED_BYTES
        return bytes_of_value * math.prod(part.source.restored.shape) <= self._memory_mb[1] * 2**20

    @cached_property
    def _strips(self) -> Callable[[Pixels], Iterator[Pixels]]:
        """Choose what runs the network, within the memory that is left.

        Returns:
            Function from an image to its restored strips, see `srexp.enhance.predict.strip_predictor`.
        """
        memory_mb, _ = self._memory_mb
        if memory_mb < _SMALL_MB:
            keep_no_freed_memory()
        restore = self.chosen.restore if self.chosen else None
        return strip_predictor(
            self.opened.model,
            self.opened.scale,
            memory_mb,
            restore=restore,
            tile_pixels=self.tile_pixels,
            on_tiles=self.on_tiles,
        )

    @cached_property
    def restore(self) -> Callable[[Pixels], Iterator[Pixels]]:
        """Function from an image, (h, w, 1) or (h, w, 3), to strips of the restored image."""
        return self._restoring(None)

    def _restoring(self, on_spread: Callable[[Pixels], object] | None) -> Callable[[Pixels], Iterator[Pixels]]:
        strips, scale = self._strips, self.opened.scale
        return for_colour(
            self_ensemble(strips, scale, on_spread=on_spread) if self.self_ensemble else strips,
            self.interpolate,
            channels=self.opened.channels,
            channel=self.opened.channel,
        )

    def interpolate(self, low: Pixels, rows: slice) -> Pixels:
        """Give some rows of the image enlarged by bicubic interpolation."""
        return enlarged_rows(low, self.opened.scale, rows)

    def parts(self, origin: Origin) -> Iterator[Part]:
        """Read and restore the images of one file.

        Args:
            origin: The file.

        Yields:
            Rows of its images, from top to bottom, one image after the other.

        Raises:
            RequestError: The file can't be used, and why.
            SrexpError: The model failed on it.
        """
        if not origin.frames:
            raise UnreadableImageError("holds no image")
        for number, frame in enumerate(origin.frames):
            stored, levels = read_image(origin.path, frame, origin.intensity), list[Levels]()
            low = stored.to_float()
            source = Source(number, low, Restored.of(stored, frame, self.opened.scale, iter(())), levels)
            del stored  # the network may need the memory
            rows, height = 0, source.restored.shape[0]
            for strip in self._restoring(_noted_in(levels))(low) if self.spread else self.restore(low):
                rows += len(strip)
                yield Part(source, strip, last=rows >= height)
            if rows < height:
                raise SrexpError("the model gave another shape", got=f"{rows} rows", expected=f"{height} rows")

    def restore_file(
        self,
        origin: Origin,
        kind: Kind,
        target: Path,
        *,
        compare: str | None = None,
        spread: str | None = None,
        on_part: Callable[[float], None] = lambda _: None,
        on_distance: Callable[[Distance], object] | None = None,
        on_spread: Callable[[Spread], object] = lambda _: None,
        parts: Iterable[Part] | None = None,
    ) -> list[str]:
        """Restore the images of one file.

        Args:
            origin: The file.
            kind: What to write.
            target: File to write; several images may become several files, see `writers.output_names`.
            compare: Name of a picture to write beside the target, of the middle image; None for no picture.
            spread: The same of a map of where its eight restorations lie apart, which are there where `spread` is set.
            on_part: Called with how many images are done, 1.5 in the middle of the second one, after each row of tiles.
            on_distance: Called with how far each image is from its input when it is reduced again.
            on_spread: Called with how far the eight restorations of each image lie apart, where `spread` is set.
            parts: What `parts` makes of the file, where somebody else asks it.

        Returns:
            What the new file can't hold, see `writers.write_images`.

        Raises:
            RequestError: The file can't be used, and why.
            SrexpError: The model failed on it.
        """
        middle, scale = len(origin.frames) // 2, self.opened.scale

        def images() -> Iterator[Restored]:
            coming = self.parts(origin) if parts is None else iter(parts)
            for first in islice(coming, len(origin.frames)):
                source = first.source
                low, height = source.low, source.restored.shape[0]
                on_part(source.number)
                for levels in source.levels:
                    on_spread(summary(levels))
                strips = _telling(_strips(first, coming), height, source.number, on_part)
                del first
                if on_distance:
                    strips = ReducedAgain(low, scale, on_distance).passing(strips)
                if (compare or spread) and source.number == middle:
                    restored = joined(strips, height)
                    if compare:
                        self._compare(target.parent / compare, low, restored, origin.path.name)
                    if spread:
                        bits = source.restored.bits
                        self._map(target.parent / spread, restored, source.levels[0], bits, origin.path.name)
                    strips = iter([restored])
                source.levels.clear()
                yield replace(source.restored, strips=strips)

        return write_images(target.parent, target.name, kind, origin, self.made, images=images())

    def _compare(self, path: Path, low: Pixels, restored: Pixels, name: str) -> None:
        from srexp.evaluation.figures.side_by_side import side_by_side

        height, width = restored.shape[:2]
        figure = side_by_side(
            low,
            partial(self.interpolate, low),
            restored,
            title=f"{name}   ·   {height} x {width} pixels   ·   x{self.opened.scale}",
            model_name=self.opened.loaded.found.label,
        )
        figure.savefig(path)

    def _map(self, path: Path, restored: Pixels, levels: Levels, bits: int, name: str) -> None:
        height, width = restored.shape[:2]
        figure = spread_map(
            restored,
            levels,
            bits=bits,
            title=f"{name}   ·   {height} x {width} pixels   ·   x{self.opened.scale}",
            model_name=self.opened.loaded.found.label,
        )
        figure.savefig(path)


def _strips(part: Part, others: Iterator[Part]) -> Iterator[Pixels]:
    """Give the rows of one image, and ask for nothing behind them."""
    yield part.strip
    while not part.last:
        part = next(others)
        yield part.strip


def _noted_in(levels: list[Levels]) -> Callable[[Pixels], object]:
    return lambda spread: levels.append(in_grey_levels(spread))


def _telling(strips: Iterable[Pixels], height: int, before: int, on_part: Callable[[float], None]) -> Iterator[Pixels]:
    """Say after each strip how many images are done, where some were before this one."""
    rows = 0
    for strip in strips:
        rows += len(strip)
        on_part(before + rows / height)
        yield strip


def chosen_runtime(config: RestoreConfig, model: Opened, runtime: RuntimeName | None = None) -> Chosen:
    """Start a model in the runtime of a configuration, and measure what that loses on real images.

    Args:
        config: Checked configuration, with `runtime`, `precision`, and the cache of what was measured.
        model: The model.
        runtime: In place of that of the configuration.

    Returns:
        The network in its runtime.

    Raises:
        RequestError: The runtime is not installed, hasn't this precision, or can't compute this model.
    """
    return choose(
        model.model,
        runtime=runtime or config.runtime,
        precision=config.precision,
        probes=pairs(model.scale, model.channels),
        shape=_raced(model, config.memory_mb),
        cache=config.paths.cache,
    )


def _raced(model: Opened, memory_mb: int) -> tuple[int, int]:
    """Choose the tile that runtimes are measured on: each keeps its memory while the others run, and the best then."""
    sees = receptive_field(model.model)
    if sees is None:
        return FULL, FULL
    share = memory_mb / _SHARE_RACED
    return tile_shape((FULL, FULL), halo=sees.radius, bytes_per_pixel=sees.bytes_per_pixel, memory_mb=share)
