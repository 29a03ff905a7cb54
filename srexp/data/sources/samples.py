"""Real DICOM images from the Python package pydicom-data: no download, one fixed split by patient."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from srexp.data.image import Intensity
from srexp.data.sources.limit import spread
from srexp.data.sources.source import Item, OnError, Split
from srexp.errors import RequestError

# File, patient, split, height and width. Lossy and re-encoded copies of these files in the package are left out.
OFFICIAL_SPLIT: tuple[tuple[str, str, Split, tuple[int, int]], ...] = (
    ("RG3_UNCR.dcm", "radiograph-3", "train", (1760, 1760)),
    ("693_UNCR.dcm", "ct-693", "validation", (512, 512)),
    ("MR-SIEMENS-DICOM-WithOverlays.dcm", "mr-siemens", "train", (484, 484)),
    ("explicit_VR-UN.dcm", "ct-explicit", "train", (512, 512)),
    ("MR2_UNCR.dcm", "mr-2", "validation", (1024, 1024)),
    ("RG1_UNCR.dcm", "radiograph-1", "test", (1955, 1841)),
)


@dataclass(frozen=True)
class Samples:
    """Six radiographs, CT and MR images of six patients.

    Args:
        name: Name of the data set.
        intensity: See `srexp.data.formats.registry.read_image`.
        on_error: `fail` refuses the data set when a file can't be used, `skip` goes on without it.
        limit: Use at most this many images, of as many patients as possible.
        memory_mb: Memory for decoded images.

    Raises:
        RequestError: From `items`: the package is not installed, or a file of it is missing.
    """

    name: str
    intensity: Intensity = "bits"
    on_error: OnError = "fail"
    limit: int | None = None
    memory_mb: int = 1024

    attribution = (
        "DICOM images of NEMA working group 4 and contributors to the pydicom project, "
        "from the Python package pydicom-data (MIT licence)"
    )
    fractions = (0.6, 0.2, 0.2)

    def items(self) -> list[Item]:
        """List the images.

        Returns:
            The images in the order of `OFFICIAL_SPLIT`.

        Raises:
            RequestError: See above.
        """
        folder = package_folder()
        missing = [name for name, *_ in OFFICIAL_SPLIT if not (folder / name).is_file()]
        if missing:
            raise RequestError(
                f"the package pydicom-data lacks {', '.join(missing)}", fix="pip install --force-reinstall pydicom-data"
            )
        items = [Item(name, folder / name, 0, patient, split, size) for name, patient, split, size in OFFICIAL_SPLIT]
        return spread(items, self.limit)


def package_folder() -> Path:
    """Find the images of pydicom-data without importing it.

    Returns:
        The folder.

    Raises:
        RequestError: The package is not installed.
    """
    package = importlib.util.find_spec("data_store")
    places = list(package.submodule_search_locations or []) if package else []
    folder = Path(places[0], "data") if places else None
    if folder is None or not folder.is_dir():
        raise RequestError(
            "dataset=samples needs the package pydicom-data, which is not installed", fix="pip install pydicom-data"
        )
    return folder
