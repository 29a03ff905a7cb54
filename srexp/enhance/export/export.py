"""A trained model as a file for another program, which must compute the same."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from srexp.enhance.predict import Restore, batch_predictor
from srexp.enhance.runtimes.choice import runtime_named
from srexp.enhance.runtimes.keras_runtime import in_precision
from srexp.errors import RequestError, SrexpError
from srexp.system.files.digests import sha256
from srexp.types import Batch, Network

Format: TypeAlias = Literal["savedmodel", "onnx", "openvino", "litert"]

#: The digests of the other files, as `sha256sum --check` reads them: what whoever passes a model on may sign.
SUMS = "SHA256SUMS"
#: The program that reads a format, and that its parity is checked with.
RUNTIME_OF: dict[str, str] = {"savedmodel": "keras", "onnx": "onnxruntime", "openvino": "openvino", "litert": "litert"}


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a file computes the same as the model it was made from.

    Args:
        largest: Largest difference of a pixel on all images, in [0, 1].
        mean: Mean difference over all pixels.
        tolerance: What the largest may be.
        images: Shape, largest and mean difference of each image.
    """

    largest: float
    mean: float
    tolerance: float
    images: tuple[dict[str, object], ...]

    @property
    def holds(self) -> bool:
        """Whether the file may be used; a NaN never is."""
        return self.largest <= self.tolerance


def compare(restore: Restore, reference: Restore, images: Sequence[Batch], tolerance: float) -> Parity:
    """Compare what two programs make of images.

    Args:
        restore: The file, opened.
        reference: The model in Keras.
        images: Batches (n, h, w, c) of several sizes, float32 in [0, 1].
        tolerance: Largest difference that is accepted.

    Returns:
        The differences; NaN where the file computes another shape or no number.
    """
    rows, total, pixels = [], 0.0, 0
    for low in images:
        got, expected = restore(low), reference(low)
        gap = np.abs(got - expected) if got.shape == expected.shape else np.full(expected.shape, np.nan)
        rows.append({"shape": list(low.shape), "largest": float(gap.max()), "mean": float(gap.mean())})
        total, pixels = total + float(gap.sum(dtype=np.float64)), pixels + gap.size
    largest = float(np.max([row["largest"] for row in rows]))
    return Parity(largest, total / pixels, tolerance, tuple(rows))


@dataclass(frozen=True, slots=True)
class Target:
    """What a model becomes, and where it goes.

    Args:
        form: Format to write.
        folder: Folder to create.
        overwrite: Replace what is in the folder.
    """

    form: Format
    folder: Path
    overwrite: bool = False

    def require_empty(self) -> None:
        """Refuse a folder that has something in it, or that is a link to one, which is somebody's elsewhere.

        Raises:
            RequestError: It has something in it, which may not be replaced, or it is a link.
        """
        folder = self.folder
        if folder.is_symlink():
            raise RequestError(
                "output is a link, and export replaces a folder as a whole",
                got=str(folder),
                expected="a folder, or a name that nothing has",
                fix=f"output={folder.resolve()}, or remove the link",
            )
        if folder.exists() and not self.overwrite and (not folder.is_dir() or any(folder.iterdir())):
            raise RequestError(f"{folder} is not empty", fix="another output=, or overwrite=true")


def export(
    model: Network,
    target: Target,
    *,
    images: Sequence[Batch],
    tolerance: float,
    card: Callable[[str, Parity], str],
) -> Parity:
    """Write a model in another format, with `parity.json`, `MODEL_CARD.md` and `SHA256SUMS` beside it.

    The folder appears whole or not at all: what differs too much from the model is not left behind.

    Args:
        model: Built Keras model.
        target: Format and folder.
        images: Real images of several sizes, (n, h, w, c), float32 in [0, 1], that the file is tried on.
        tolerance: Largest difference in [0, 1] that is accepted.
        card: Makes the model card of the file's name and the differences.

    Returns:
        The differences.

    Raises:
        RequestError: The folder has something in it, a package is missing, or a layer has no translation.
        SrexpError: The file computes something else than the model.
    """
    target.require_empty()
    form, folder = target.form, target.folder
    runtime = runtime_named(RUNTIME_OF[form])
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        runtime.write(model, partial / runtime.FILE)
        reference = batch_predictor(in_precision(model, "float32"))
        parity = compare(runtime.read(partial / runtime.FILE), reference, images, tolerance)
        if not parity.holds:
            raise SrexpError(
                f"the model computes something else in {form} than in Keras; nothing was written",
                got=parity.largest,
                expected=f"a largest difference of at most {tolerance}",
                fix="another format=, or tolerance=... if the difference does not matter",
            )
        (partial / "parity.json").write_text(json.dumps(asdict(parity), indent=2) + "\n", encoding="utf-8")
        (partial / "MODEL_CARD.md").write_text(card(runtime.FILE, parity), encoding="utf-8")
        files = sorted(path for path in partial.rglob("*") if path.is_file())
        sums = [f"{sha256(path)}  {path.relative_to(partial)}\n" for path in files]
        (partial / SUMS).write_text("".join(sums), encoding="utf-8")
        _move(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return parity


def _move(partial: Path, folder: Path) -> None:
    """Give a finished folder its name, in place of what had it."""
    old = folder.with_name(f"{partial.name}.old")
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    if old.is_dir():
        shutil.rmtree(old)
    else:
        old.unlink(missing_ok=True)
