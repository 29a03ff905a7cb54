"""A model as a function of images: arrays and files in, restored arrays out, with the pixels that `enhance` writes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from srexp.config.override_grammar import override
from srexp.config.sections.verbs import EnhanceConfig
from srexp.data.formats.registry import frames_in, read_image
from srexp.data.image import Integers, Stored, UnreadableImageError, ranged
from srexp.data.restored_image import Restored
from srexp.enhance.tiling import joined
from srexp.errors import RequestError
from srexp.experiment.restoration.file_restoration import Restorer
from srexp.experiment.restoration.folder_enhancement import restorer_of
from srexp.tracking.store.addresses import ADDRESSES
from srexp.types import Pixels

#: Keys that `enhance` must have, of files that nobody reads or writes here.
_NO_FILES = ("input=.", "output=.")
_BITS: dict[Any, int] = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 16}
_GREY, _COLOURED, _COLOURS = 2, 3, (1, 3)


def request(uri: str | os.PathLike[str], overrides: list[str]) -> list[str]:
    """Write what would be typed to `enhance` for this model.

    Args:
        uri: Address of the model.
        overrides: Further keys of `enhance`.

    Raises:
        RequestError: It is no text and no path.
    """
    if not isinstance(uri, str | os.PathLike):
        raise RequestError("this is no address of a model", got=uri, expected=ADDRESSES)
    return [override("model_uri", os.fspath(uri)), *_NO_FILES, *overrides]


class Enhancer:
    """A model that one calls with an image. Get one from `srexp.load`.

    Large images are restored in tiles within `memory_mb`, which changes no pixel. A network of one channel restores the
    luminance of a colour image, as `enhance` does.

    Args:
        restorer: The model with all that decides what it makes of an image.
    """

    def __init__(self, restorer: Restorer) -> None:
        self._restorer = restorer

    @classmethod
    def of(cls, config: EnhanceConfig) -> Enhancer:
        """Load the model of a configuration.

        Raises:
            RequestError: There is no such model, or its runtime can't be had.
            SrexpError: The store can't be reached.
        """
        return cls(restorer_of(config))

    @property
    def uri(self) -> str:
        """Address of the model."""
        return self._restorer.opened.loaded.found.readable

    @property
    def digest(self) -> str:
        """SHA-256 of the model's file, as `require_digest` takes it."""
        return self._restorer.opened.loaded.digest

    @property
    def scale(self) -> int:
        """How many times larger an image becomes."""
        return self._restorer.opened.scale

    @property
    def channels(self) -> int:
        """Channels that the network takes, 1 or 3; images may have others."""
        return self._restorer.opened.channels

    def __repr__(self) -> str:
        """Name the model."""
        return f"<srexp model {self.uri}, x{self.scale}>"

    def __call__(
        self,
        image: npt.NDArray[Any] | str | os.PathLike[str],
        *,
        bits: int | None = None,
        frame: int | None = None,
    ) -> Integers | Pixels:
        """Restore one image.

        Args:
            image: An array (h, w), (h, w, 1) or (h, w, 3), brighter is larger: uint8 in 0..255; uint16 in 0..65535, or
                in 0..2**bits-1; float16, float32 or float64 in [0, 1], black to white. Or the path of an image file of
                any kind that srexp reads; its stored bit depth decides the range, and it stands upright.
            bits: Bit depth of an array of whole numbers, such as 12 for 0..4095 in uint16; by default all of its type.
            frame: Which image of a file that has several, from 0.

        Returns:
            The restored image, `scale` times as high and wide, with as many axes and channels. Of whole numbers: uint8
            or uint16 in the range of the input, rounded as `enhance` rounds. Of a float: float32 in [0, 1], not
            rounded. Of a file: (h, w) or (h, w, 3), uint8 up to 8 bits and uint16 above, in its stored range.

        Raises:
            RequestError: The array has another shape or type, or values outside its range; or the file can't be read.
            SrexpError: The model failed on it.
        """
        if isinstance(image, str | os.PathLike):
            if bits is not None:
                raise RequestError("a file says itself how many bits it has", got=f"bits={bits}", fix="leave bits out")
            from_file = self._restored(self._read(Path(image).expanduser(), frame))
            return from_file[..., 0] if from_file.shape[-1] == 1 else from_file
        if frame is not None:
            raise RequestError("frame is of a file", got="an array", fix="index the array")
        with_channel = _with_channel(image)
        of_kind = self._of_float if image.dtype.kind == "f" else self._of_whole
        restored = of_kind(with_channel, bits)
        return restored.reshape(*restored.shape[: image.ndim])

    def _of_float(self, image: npt.NDArray[Any], bits: int | None) -> Pixels:
        if bits is not None:
            raise RequestError("an array of floats has no bits", got=f"bits={bits}", fix="leave bits out")
        least, most = float(image.min()), float(image.max())
        if not (least >= 0 and most <= 1):  # neither, of what is no number
            raise RequestError(
                "the array is out of range",
                got=f"values from {least:g} to {most:g}",
                expected="floats in [0, 1], black to white",
                fix="divide by white (255, 4095, ...) or np.clip; or give uint8 or uint16",
            )
        low = np.ascontiguousarray(image, np.float32)
        return np.clip(joined(self._restorer.restore(low), low.shape[0] * self.scale), 0, 1)

    def _of_whole(self, image: npt.NDArray[Any], bits: int | None) -> Integers:
        held = _BITS.get(image.dtype.newbyteorder("="))
        if held is None:
            raise RequestError(
                "the array is of a type that doesn't say its range",
                got=str(image.dtype),
                expected="uint8, uint16, or floats in [0, 1]",
                fix="image.astype(np.uint16) with bits=, if its values lie in 0..2**bits-1",
            )
        depth = bits or held
        if not 1 <= depth <= held or int(image.max()) >= 2**depth:
            raise RequestError(
                "the array doesn't fit into its bits",
                got=f"{image.dtype}, bits={depth}, values up to {int(image.max())}",
                expected=f"bits from 1 to {held}, and values up to 2**bits - 1",
            )
        return self._restored(ranged(image, depth, self._restorer.intensity, lossy=False)).astype(image.dtype)

    def _restored(self, stored: Stored) -> Integers:
        strips = self._restorer.restore(stored.to_float())
        return Restored.of(stored, 0, self.scale, strips).pixels(stored.bits)

    def _read(self, path: Path, frame: int | None) -> Stored:
        try:
            frames = frames_in(path)
            if frame is None and len(frames) != 1:
                raise RequestError(
                    f"{path} holds {len(frames)} images",
                    expected="one image",
                    fix=f"frame={frames[0] if frames else 0}",
                )
            if frame is not None and frame not in frames:
                raise RequestError(f"{path} has no image {frame}", expected=f"frame= one of {len(frames)}, from 0")
            return read_image(path, frames[0] if frame is None else frame, self._restorer.intensity)
        except UnreadableImageError as error:
            raise RequestError(f"{path} {error.reason}", fix=error.fix.replace("dataset.", "")) from error


def _with_channel(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Give an image three axes."""
    shape = getattr(image, "shape", None)
    if shape is None:
        raise RequestError("this is no image", got=type(image).__name__, expected="an array, or the path of a file")
    fits = len(shape) == _GREY or (len(shape) == _COLOURED and shape[-1] in _COLOURS)
    if not fits or 0 in shape:
        raise RequestError(
            "the array is no image",
            got=f"shape {tuple(shape)}",
            expected="(h, w), (h, w, 1) or (h, w, 3), not empty",
            fix="give the images of a batch one by one, and the slices of a volume",
        )
    return image if len(shape) == _COLOURED else image[..., np.newaxis]
