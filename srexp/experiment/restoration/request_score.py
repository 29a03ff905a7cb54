"""An image, its restoration and its target that came in one request: what the restoration scores."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srexp.enhance.serving.application import Look, Looked, Made
from srexp.errors import RequestError
from srexp.experiment.restoration.file_restoration import Restorer
from srexp.experiment.restoration.paired_score import ERROR_STEPS, Rules, Score, bicubic_score, restored_score
from srexp.experiment.restoration.request_images import Asked, asked_image
from srexp.experiment.restoration.request_restoration import named
from srexp.experiment.restoration.request_view import pack
from srexp.metrics.protocol import Protocol
from srexp.metrics.table import QUICK, figure, heading
from srexp.system.confinement import ExhaustedError, confined

# What of a protocol says how these are measured.
_TOLD = ("channel", "scale", "shave", "quantize", "intensity", "data_range", *QUICK)
_SIZES = re.compile(r"([0-9]{1,12}),([0-9]{1,12})")
_PARTS = ("image", "restored image", "target")


def request_score(restorers: Mapping[str, Restorer], max_pixels: int) -> Look:
    """Join looking, measuring and packing.

    Args:
        restorers: The models by their names.
        max_pixels: Largest restoration, in pixels.

    Returns:
        Function that looks at a body of three files behind one another, image, restoration and target, and can then
        score the restoration and bicubic interpolation. Its options are `sizes`, the bytes of the first two with a
        comma between them, `model`, which restored, and `frame` of the image, and of a target that has several.
    """

    def look(sent: Path, options: Mapping[str, str]) -> Looked:
        restorer = named(restorers, options)
        scale, intensity = restorer.opened.scale, restorer.intensity
        low, restored, target = _parts(sent, options.get("sizes", ""))
        image = _asked(low, "image", options, most=max_pixels, scale=scale, intensity=intensity)
        made = _asked(restored, "restored image", {}, most=max_pixels)
        wanted = _asked(target, "target", options, most=max_pixels, intensity=intensity)
        size = (image.height * scale, image.width * scale)
        for each, called in ((made, "restored image"), (wanted, "target")):
            if (each.height, each.width) != size:
                raise RequestError(
                    f"the {called} has another size",
                    got=f"{each.height} x {each.width}",
                    expected=f"{size[0]} x {size[1]}, {scale} times the image",
                )

        def score(path: Path) -> Made:
            rules = Rules(restorer.opened.channel, scale)
            try:
                model: Score = confined([], restored_score, made, wanted, rules)
                bicubic: Score = confined([], bicubic_score, image, wanted, rules)
            except ExhaustedError as error:
                raise RequestError(f"scoring {error}", fix="python -m srexp evaluate") from None
            facts = {"height": size[0], "width": size[1], "channels": 1, "bits": 16, "steps": ERROR_STEPS}
            protocol = Protocol(channel=rules.channel).describe(scale, intensity=intensity)
            told = {"metrics": _table(model[0], bicubic[0]), "protocol": {key: str(protocol[key]) for key in _TOLD}}
            return pack(path, facts | told, [model[1]])

        return Looked(size[0] * size[1], score)

    return look


def _parts(sent: Path, sizes: str) -> list[Path]:
    """Cut a body into its files, once, from its end, so that little lies on disk twice."""
    parts = [sent.with_name(name.replace(" ", "-")) for name in _PARTS]
    if not parts[0].exists():
        total, said = sent.stat().st_size, _SIZES.fullmatch(sizes)
        first, second = map(int, said.groups()) if said else (0, 0)
        if not first or not second or first + second >= total:
            raise RequestError(
                "sizes doesn't say where the files of the body end",
                got=sizes[:40],
                expected="bytes of the image and of the restoration, such as 1000,4000, with the target behind them",
            )
        with sent.open("r+b") as body:
            for part, start in zip(reversed(parts), (first + second, first, 0), strict=True):
                body.seek(start)
                with part.open("wb") as file:
                    shutil.copyfileobj(body, file)
                body.truncate(start)
    return parts


def _asked(path: Path, called: str, options: Mapping[str, str], **how: Any) -> Asked:
    """Look at a part."""
    try:
        return asked_image(path, options, **how)
    except RequestError as error:
        raise type(error)(f"the {called}: {error}") from None


def _table(model: Mapping[str, float | None], bicubic: Mapping[str, float | None]) -> list[dict[str, str]]:
    rows = []
    for name, value in model.items():
        other = bicubic[name]
        gain = None if value is None or other is None or not math.isfinite(value - other) else value - other
        row = {"model": figure(value, name, fine=True), "bicubic": figure(other, name, fine=True)}
        rows.append({"name": heading(name), **row, "gain": figure(gain, name, sign=True, fine=True)})
    return rows
