"""One image that came in a request through a model: looked at, restored, and given back as the kind that it was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from srexp.data.restored_image import Origin
from srexp.enhance.serving.application import Look, Looked
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
        named, and `frame`, see `asked_image`, whose refusals it raises.
    """

    def look(sent: Path, options: Mapping[str, str]) -> Looked:
        restorer = named(restorers, options)
        scale, intensity = restorer.opened.scale, restorer.intensity
        image = asked_image(sent, options, most=max_pixels, scale=scale, intensity=intensity)

        def restore(target: Path) -> str:
            with mended_elsewhere():
                restorer.restore_file(Origin(sent, image.kind, (image.frame,), intensity), image.kind, target)
            return MEDIA_TYPES[image.kind]

        return Looked(image.height * image.width * scale**2, restore)

    return look


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
