"""Real DICOM images from the Python package pydicom-data: no download, one fixed split by patient."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path

from srexp.data.sources.limit import spread
from srexp.data.sources.source import Item, Source, Split
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
class Samples(Source):
    """Six radiographs, CT and MR images of six patients.

    Raises:
        RequestError: From `items`: the package is not installed, or a file of it is missing.
    """

    fractions: list[float] = field(init=False, default_factory=lambda: [0.6, 0.2, 0.2])

    attribution = (
        "DICOM images of NEMA working group 4 and contributors to the pydicom project, "
        "from the Python package pydicom-data (MIT licence)"
    )

    def items(self) -> list[Item]:
        """List the images in the order of `OFFICIAL_SPLIT`."""
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
