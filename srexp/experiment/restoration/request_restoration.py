"""One image that came in a request through a model: looked at, restored, and given back as the kind that it was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from srexp.data.degradation.reduced_again import Distance
from srexp.data.restored_image import Origin
from srexp.enhance.serving.application import DISTANCE, PLACE, Look, Looked, Made
from srexp.errors import RequestError
from srexp.experiment.restoration.file_restoration import Restorer
from srexp.experiment.restoration.request_images import MEDIA_TYPES, asked_image, mended_elsewhere


def request_restoration(restorers: Mapping[str, Restorer], max_pixels: int) -> Look:
    """Join looking, reading, restoring and writing: from file to file.

    Args:
        restorers: The models by their names.
        max_pixels: Largest image, in pixels of the restoration.

    Returns:
        Function that looks at an image file and can then restore it. Its options are `model`, the first where none is
        named, `check`, whether to say how far the result is from the image, and `frame`, see `asked_image`, whose
        refusals it raises.
    """

    def look(sent: Path, options: Mapping[str, str]) -> Looked:
        restorer = named(restorers, options)
        scale, intensity = restorer.opened.scale, restorer.intensity
        image = asked_image(sent, options, most=max_pixels, scale=scale, intensity=intensity)

        checked = _is_true(options, "check")

        def restore(target: Path) -> Made:
            distances: list[Distance] = []
            origin = Origin(sent, image.kind, (image.frame,), intensity)
            with mended_elsewhere():
                restorer.restore_file(origin, image.kind, target, on_distance=distances.append if checked else None)
            told = {DISTANCE: distances[0].levels, PLACE: distances[0].place_percent} if distances else {}
            return Made(MEDIA_TYPES[image.kind], {name: f"{value:.4g}" for name, value in told.items()})

        return Looked(image.height * image.width * scale**2, restore)

    return look


def _is_true(options: Mapping[str, str], name: str) -> bool:
    if (said := options.get(name, "false")) not in ("true", "false"):
        raise RequestError(f"{name} is neither true nor false", got=said[:20], expected="true or false")
    return said == "true"


def named(restorers: Mapping[str, Restorer], options: Mapping[str, str]) -> Restorer:
    """Give the model that a query names.

    Args:
        restorers: The models by their names.
        options: The query; without `model` it is the first.

    Raises:
        RequestError: None is called so.
    """
    name = options.get("model", next(iter(restorers)))
    if name not in restorers:
        raise RequestError("the server has no such model", got=name[:200], expected=", ".join(restorers))
    return restorers[name]
