"""A page of what `enhance` made of a folder: every image beside its result, to look over at a glance."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from srexp.config.sections.verbs import EnhanceConfig
from srexp.data.formats.registry import Image, frames_in, read_ahead, read_image
from srexp.data.image import Stored
from srexp.enhance.output_manifest import OutputManifest
from srexp.enhance.scratch import scratch_folder
from srexp.errors import SrexpError
from srexp.evaluation.figures.image_cards import Picture, thumbnail
from srexp.evaluation.figures.spread_map import SCALE, Spread, only_map
from srexp.experiment.restoration.jobs import Job, Outcome, marks_of
from srexp.metrics.table import counted
from srexp.system.files.atomic_files import itself
from srexp.system.masking.pseudonyms import pseudonym, pseudonymised
from srexp.system.templates import filled
from srexp.types import Pixels

NAME = "gallery.html"
TEMPLATE = "gallery.html.j2"
MOST = 500  # images with pictures: radiographs make some 2 MB, pure noise 16 MB
FEW, LARGE, SMALL = 100, 320, 160  # up to so many images have pictures of so many pixels, more have smaller ones

_MARK = b'<meta name="generator" content="srexp enhance">'


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One image and what it became.

    Args:
        name: What the page calls it.
        before: A picture of the input.
        after: A picture of the result.
        sizes: Heights and widths of both.
        links: Addresses of the input and of the result, relative to the page.
        distance: How far the result is from its input when it is reduced again, in grey levels; None: not measured.
        worst_place: The same where it is furthest, in percent of the range that the input fills.
        marked: Whether one of both is above its bound.
        spread: How far the eight restorations of a self-ensemble lie apart; None: not measured.
        map: A picture of where they do, and its address; None where there is none.
    """

    name: str
    before: Picture
    after: Picture
    sizes: tuple[str, str]
    links: tuple[str, str]
    distance: float | None
    worst_place: float | None
    marked: bool
    spread: Spread | None
    map: tuple[Picture, str] | None


def write_gallery(
    config: EnhanceConfig, jobs: Sequence[Job], outcome: Outcome, manifest: OutputManifest
) -> tuple[Path | None, str]:
    """Write the page of a folder's images; none of a single file.

    Pictures are made of the files once more, so that those of an earlier run are there as well. Names are pseudonyms
    unless `names` is set. The page links to files, whose names it therefore holds, and belongs to their folder.

    Args:
        config: Checked configuration, with `input`, `output`, `intensity` and `names`.
        jobs: The files.
        outcome: What became of them.
        manifest: Of the output folder.

    Returns:
        The page, None where there is none, and a warning, which may be empty.
    """
    done = {*outcome.restored, *outcome.skipped}
    made = [job for job in jobs if job.name in done]
    if not made or Path(config.input).expanduser().is_file():
        return None, ""
    page = manifest.folder / NAME
    try:
        restored = any(NAME in job.outputs for job in jobs)
        there = page.exists() and not config.overwrite
        if restored or (there and not _is_one(page)):
            return None, f"{NAME} in output is not what this would write, and was left as it was"
        with scratch_folder(manifest.folder) as scratch:
            file = scratch / NAME
            file.write_text(_page(config, made, outcome), encoding="utf-8", errors="replace")
            manifest.place({NAME: file}, *(job.path for job in made))
    except (OSError, SrexpError) as error:
        return None, f"{NAME} can't be written: {getattr(error, 'strerror', None) or error}"
    return page, ""


def _is_one(page: Path) -> bool:
    """Whether srexp wrote what has the name of a page."""
    with open(page, "rb", opener=itself) as file:
        return _MARK in file.read(1000)


def _page(config: EnhanceConfig, made: Sequence[Job], outcome: Outcome) -> str:
    side = LARGE if len(made) <= FEW else SMALL
    shown = [(job, images) for job in made[:MOST] if (images := _images(config, job))]
    with read_ahead(chain.from_iterable(images for _, images in shown)):
        exhibits = [each for job, images in shown if (each := _exhibit(config, job, images, outcome, side))]
    unseen = len(made) - len(exhibits)
    failed = {_called(config, name): reason for name, reason in outcome.failed.items()}
    return filled(
        __package__,
        TEMPLATE,
        mark=_MARK.decode(),
        title=counted(len(made), "restored file"),
        exhibits=exhibits,
        scale=SCALE,
        left_out=f"{counted(unseen, 'file')} without pictures" if unseen else "",
        failed=failed if config.names else pseudonymised(failed),
    )


def _images(config: EnhanceConfig, job: Job) -> list[Image]:
    """Say what is shown of a file: its middle image, the restored one, and the map if there is one."""
    output, files = Path(config.output).expanduser(), job.images
    result = output / files[len(files) // 2]
    try:
        frames = frames_in(result)
    except (OSError, SrexpError):
        return []
    before: Image = (job.path, job.frames[len(job.frames) // 2], config.intensity or "bits")
    after: Image = (result, frames[len(frames) // 2], "bits")
    drawn: list[Image] = [(output / job.spread, 0, "bits")] if job.spread else []
    return [before, after, *drawn]


def _exhibit(config: EnhanceConfig, job: Job, images: list[Image], outcome: Outcome, side: int) -> Exhibit | None:
    """Show an image beside its result, None where one can't be read any more."""
    output, name = Path(config.output).expanduser(), _called(config, job.name)
    pictures, shapes = [], []
    try:
        for image, caption in zip(images, ("input", "restored"), strict=False):
            stored = read_image(*image)
            shapes.append(stored.pixels.shape)
            pictures.append(thumbnail(_coarse(stored, side), side, f"{name}, {caption}"))
    except (OSError, SrexpError):
        return None
    before, after = (f"{shape[0]} x {shape[1]}" for shape in shapes)
    return Exhibit(
        name,
        pictures[0],
        pictures[1],
        (before, after),
        (_link(job.path, output), _link(images[1][0], output)),
        outcome.distances.get(job.name),
        outcome.worst_places.get(job.name),
        bool(marks_of(config, outcome.measured(job.name))),
        outcome.spreads.get(job.name),
        _map(name, images[2], output, shapes[1], side) if images[2:] else None,
    )


def _map(name: str, image: Image, output: Path, shape: tuple[int, ...], side: int) -> tuple[Picture, str] | None:
    """Show the map of the middle image in the colours that it was drawn in."""
    try:
        drawn = only_map(read_image(*image).to_float(), shape)
    except (OSError, SrexpError):
        return None
    picture = thumbnail(drawn, side, f"{name}, spread of the eight restorations", (0, 1))
    return picture, _link(image[0], output)


def _coarse(image: Stored, side: int) -> Pixels:
    """Leave out rows and columns of a large image, so that no float32 of the whole is made."""
    step = max(1, max(image.pixels.shape[:2]) // (4 * side))
    return replace(image, pixels=image.pixels[::step, ::step]).to_float()


def _called(config: EnhanceConfig, name: str) -> str:
    return name if config.names else pseudonym(name)


def _link(path: Path, folder: Path) -> str:
    """Write the way from the page to a file; a colon in a name makes no scheme of it."""
    return quote(os.fsencode(os.path.relpath(path.absolute(), folder.absolute())))
