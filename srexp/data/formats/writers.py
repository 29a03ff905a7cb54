"""Restored images back to files: the kind, the bit depth and the meaning of values that they were read with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from srexp.data.formats.fitting import fitted
from srexp.data.formats.signatures import IMAGE_ENDINGS
from srexp.data.image import Kind
from srexp.data.restored_image import Origin, Provenance, Restored
from srexp.errors import RequestError

#: What a file can be turned into; NIfTI stays NIfTI.
Format: TypeAlias = Literal["png", "jpeg", "bmp", "tiff", "dicom"]

ENDING: dict[Kind, str] = {"png": ".png", "jpeg": ".jpg", "bmp": ".bmp", "tiff": ".tif", "dicom": ".dcm"}
_ENDINGS = (".nii.gz", *IMAGE_ENDINGS)
_ONE_IMAGE = ("png", "jpeg", "bmp")


def target_format(kind: Kind, wanted: str) -> Kind:
    """Choose what is written.

    Args:
        kind: What was read.
        wanted: `same`, or a `Format`.

    Returns:
        The kind of the file to write.

    Raises:
        RequestError: There is no way from one to the other.
    """
    if wanted != "same":
        return next(known for known in get_args(Format) if known == wanted)
    if kind == "npy":
        raise RequestError("a NumPy file isn't written", expected="PNG, TIFF, JPEG, BMP, DICOM or NIfTI")
    return kind


def target_names(kinds: Mapping[str, tuple[Kind, Kind]]) -> dict[str, str]:
    """Name what files become: as they are called, with another ending where the kind changes.

    Args:
        kinds: What each file is and what is to be written, by its relative path.

    Returns:
        Relative path of the file to write, by that of the file read; all differ, as far as their names allow.

    Example:
        >>> target_names({"a.dcm": ("dicom", "png"), "b.dcm": ("dicom", "png"), "b.tif": ("tiff", "png")})
        {'a.dcm': 'a.png', 'b.dcm': 'b.dcm.png', 'b.tif': 'b.tif.png'}
    """

    def short(name: str) -> str:
        ending = next((ending for ending in _ENDINGS if name.lower().endswith(ending)), "")
        return name[: len(name) - len(ending)]

    targets = {name: name if kind == wanted else short(name) + ENDING[wanted] for name, (kind, wanted) in kinds.items()}
    taken = Counter(target.casefold() for target in targets.values())
    return {
        name: name + ENDING[kinds[name][1]] if taken[target.casefold()] > 1 and target != name else target
        for name, target in targets.items()
    }


def output_names(name: str, kind: Kind, frames: Sequence[int]) -> list[str]:
    """Name the files that one file becomes: several where the kind holds one image and there are more.

    Args:
        name: Name of the file to write.
        kind: What is written.
        frames: Which images there are.

    Returns:
        As many names as files.

    Example:
        >>> output_names("a.png", "png", (0, 1)), output_names("a.tif", "tiff", (0, 1))
        (['a_0000.png', 'a_0001.png'], ['a.tif'])
    """
    if kind not in _ONE_IMAGE or len(frames) == 1:
        return [name]
    stem, dot, ending = name.rpartition(".")
    return [f"{stem}_{frame:04}{dot}{ending}" for frame in frames]


def write_images(
    folder: Path, name: str, kind: Kind, origin: Origin, made: Provenance, *, images: Iterable[Restored]
) -> list[str]:
    """Write what becomes of one file, under `output_names`.

    Colour images come out as red, green and blue, opaque: palettes and transparency were resolved when they were read.

    Args:
        folder: Existing folder to write to.
        name: Name of the file.
        kind: What to write, see `target_format`.
        origin: The file that the images come from, whose description is taken over.
        made: Who made the images.
        images: They are asked for one by one, and each is written before the next is made.

    Returns:
        What the original says of how its pixels are to be seen and the new file can't hold, a line for each.

    Raises:
        RequestError: The file can't hold these images.
        SrexpError: An image could not be made.
    """
    target, lost = folder / name, list[str]()
    fitting = (fitted(image, origin.kind, kind, made.scale, lost) for image in images)
    if kind in _ONE_IMAGE:
        from srexp.data.formats import raster_writer

        for one, image in zip(output_names(name, kind, origin.frames), fitting, strict=True):
            raster_writer.write(folder / one, kind, image)
    elif kind == "tiff":
        from srexp.data.formats import tiff_writer

        tiff_writer.write(target, origin, made, fitting)
    elif kind == "nifti":
        from srexp.data.formats import nifti_writer

        nifti_writer.write(target, origin, made.scale, fitting)
    else:
        from srexp.data.formats import dicom_writer

        dicom_writer.write(target, origin, made, fitting)
    return list(dict.fromkeys(lost))
