"""Learned perceptual image patch similarity of Zhang et al. 2018, by weights that the user has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from srexp.errors import RequestError, some
from srexp.metrics.operands import require_alike
from srexp.system.files.array_files import read_arrays

#: Side in pixels from which each stage of the network has something to see.
SMALLEST = 16

#: The five stages of VGG16, pooling between them: channels, and what its convolutions are numbered by in PyTorch.
_STAGES = ((64, (0, 2)), (128, (5, 7)), (256, (10, 12, 14)), (512, (17, 19, 21)), (512, (24, 26, 28)))
_MEAN, _DEVIATION = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])  # of photographs in -1..1
_TINY = 1e-10
#: Pixels of a tile, and those around it that its features depend on; both go into whole pixels of the last stage.
_TILE, _HALO = 512, 112
_IN_TURN = Lock()  # two images are measured at a time, and the features of one fill the memory of both
_FIX = "make the file as docs/howto/evaluate.md says, or leave protocol.lpips out"
_NAMED = 6

_Array = npt.NDArray[np.float32]


class Weights(NamedTuple):
    """What a file holds.

    Args:
        arrays: By their names in the authors' program; kernels in Keras's order (h, w, in, out).
        digest: Of their values, whatever else is in the file.
    """

    arrays: Mapping[str, _Array]
    digest: str


def lpips(restored: npt.NDArray[Any], high: npt.NDArray[Any], *, max_value: float, weights: Path) -> float | None:
    """Distance of two images in the features of a network that was trained on photographs; 0 is alike.

    At each place of five stages of VGG16, features are brought to length 1; the squared differences of their channels
    are weighted by what observers said of spoilt photographs, summed, and averaged over all places. The distance is the
    sum over the stages. A grey image is seen as red, green and blue alike, white being 1 and black -1.

    Large images are seen in tiles with so much around them that no feature differs but by rounding.

    Source: Zhang, Isola, Efros, Shechtman, Wang, "The unreasonable effectiveness of deep features as a perceptual
    metric", CVPR 2018, doi:10.1109/CVPR.2018.00068, in version 0.1 of the authors' program.

    Args:
        restored: Network output in grey levels, (h, w), (h, w, 1) or (h, w, 3), any real dtype, range 0..max_value.
        high: Target, same shape, same unit.
        max_value: Data range, `2**bits - 1` for levels of a stored image, 1.0 for floats in [0, 1].
        weights: An .npz file, see `read`.

    Returns:
        0 for identical images; None for an image with a side below `SMALLEST`.

    Raises:
        RequestError: The shapes differ, the range isn't positive, or the file isn't one of such weights.
    """
    require_alike("LPIPS", restored, high, max_value)
    arrays, height, width = read(weights).arrays, *high.shape[:2]
    if min(height, width) < SMALLEST:
        return None
    seen = np.stack([np.broadcast_to(np.atleast_3d(each), (height, width, 3)) for each in (restored, high)])
    seen = ((seen * (2 / max_value) - 1 - _MEAN) / _DEVIATION).astype(np.float32)
    sums = np.zeros(len(_STAGES))
    with _IN_TURN:
        for top, rows in _parts(height):
            for left, columns in _parts(width):
                tile = seen[:, top : rows.stop + _HALO, left : columns.stop + _HALO]
                inside = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
                sums += _distances(tile, inside, arrays)
    return float(sum(total / ((height >> n) * (width >> n)) for n, total in enumerate(sums)))


def definition(weights: Path) -> str:
    """Say by what it is measured.

    Args:
        weights: See `read`.
    """
    return f"Zhang 2018, version 0.1, VGG16 trained on photographs; weights {read(weights).digest[:16]}"


def read(path: Path) -> Weights:
    """Read a file of weights, once as long as it stays as it is.

    Args:
        path: An .npz file of the arrays of `lpips.LPIPS(net="vgg").state_dict()`; others beside them aren't looked at.

    Raises:
        RequestError: There is no such file, it is damaged, or an array is missing or of another shape.
    """
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise RequestError(
            "protocol.lpips can't be read", got=str(path), expected="an .npz file of weights", fix=_FIX
        ) from error


@lru_cache(maxsize=1)
def _read(path: Path, changed: int) -> Weights:
    try:
        given = read_arrays(path)
    except RequestError as error:
        raise RequestError(f"protocol.lpips: {error.what}", got=error.got, expected=error.expected, fix=_FIX) from error
    wanted = dict(_shapes())
    wrong = [
        f"{name} is {given[name].shape if name in given else 'missing'}, not {shape}"
        for name, shape in wanted.items()
        if name not in given or given[name].shape != shape
    ]
    if wrong:
        raise RequestError(
            f"protocol.lpips: {path} doesn't hold the weights of LPIPS on VGG16: {some(wrong, _NAMED)}",
            expected=f"{len(wanted)} arrays by the names of the authors' program",
            fix=_FIX,
        )
    digest = hashlib.sha256(b"".join(given[name].tobytes() for name in wanted)).hexdigest()
    ours = {
        name: given[name].transpose(2, 3, 1, 0) if len(shape) > 1 else given[name] for name, shape in wanted.items()
    }
    return Weights({name: np.ascontiguousarray(array) for name, array in ours.items()}, digest)


def _shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Give the name and PyTorch's shape of each array."""
    before = 3
    for number, (channels, convolutions) in enumerate(_STAGES):
        for each in convolutions:
            yield f"{_named(number, each)}.weight", (channels, before, 3, 3)
            yield f"{_named(number, each)}.bias", (channels,)
            before = channels
        yield _linear(number), (1, channels, 1, 1)


def _named(stage: int, convolution: int) -> str:
    return f"net.slice{stage + 1}.{convolution}"


def _linear(stage: int) -> str:
    return f"lin{stage}.model.1.weight"


def _parts(length: int) -> Iterator[tuple[int, slice]]:
    """Cut a side into parts, with where the first pixel lies that their features depend on."""
    for start in range(0, length, _TILE):
        yield max(start - _HALO, 0), slice(start, min(start + _TILE, length))


def _distances(pair: _Array, inside: Sequence[slice], arrays: Mapping[str, _Array]) -> npt.NDArray[np.float64]:
    """Sum up the distances of two images at all places inside of a tile, stage by stage."""
    from keras import ops

    features, sums = ops.convert_to_tensor(pair), []
    for stage, (_, convolutions) in enumerate(_STAGES):
        if stage:
            features = ops.max_pool(features, 2)
        for each in convolutions:
            name = _named(stage, each)
            features = ops.conv(features, arrays[f"{name}.weight"], padding="same")
            features = ops.relu(features + arrays[f"{name}.bias"])
        rows, columns = (slice(part.start >> stage, part.stop >> stage) for part in inside)
        kept = features[:, rows, columns]
        lengths = ops.sqrt(ops.sum(ops.square(kept), axis=-1, keepdims=True))
        restored, high = kept / (lengths + _TINY)
        places = ops.matmul(ops.square(restored - high), arrays[_linear(stage)].ravel())
        sums.append(ops.convert_to_numpy(places).sum(dtype=np.float64))
    return np.array(sums)
