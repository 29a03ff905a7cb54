"""Small images, and a folder of them prepared for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from srexp.data.preparation.prepare import Prepared, prepare
from srexp.data.preparation.request import Preparation
from srexp.data.sources.folder import Folder

Options = dict[str, object]


def picture(path: Path, seed: int, size: tuple[int, int] = (32, 40), colours: tuple[int, ...] = ()) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, *colours), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def prepared(root: Path, folder: Options | None = None, **options: object) -> Prepared:
    source = Folder("f", str(root), **{"patients": "^(p.)", **(folder or {})})
    return prepare(
        source, Preparation(**{"seed": 0, "channel": "grey", "scale": 2, "patch_size": 16, "names": True, **options})
    )


def split_of(data: Prepared) -> dict[str, str]:
    return {entry.key: entry.split for entries in data.entries.values() for entry in entries}
