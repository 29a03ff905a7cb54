"""All steps from stored to shown values at once, in every uncompressed encoding, against their definitions and pydicom.

pydicom is the oracle of windows; a lookup table is applied by its definition (PS3.3 C.11.1.1), since the sign of its
first value is read by pydicom as that of the pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from srexp.data.dicom.reader import read
from tests.data.dicom.images import save

SYNTAXES = [
    *[ImplicitVRLittleEndian] * 3,  # where nothing says whether a table's first value has a sign
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]


class Table(NamedTuple):
    """A lookup table."""

    first: int
    bits: int
    entries: np.ndarray

    def applied(self, values: np.ndarray) -> np.ndarray:
        """Map values, those beyond its ends to its end entries."""
        return self.entries[np.clip(values - self.first, 0, len(self.entries) - 1)]

    def item(self, order: str | None) -> Dataset:
        """Describe it, with entries as numbers or as bytes in an order."""
        item = Dataset()
        item.add_new("LUTDescriptor", "SS" if self.first < 0 else "US", [len(self.entries), self.first, self.bits])
        raw = self.entries.astype(f"{order or '<'}u2").tobytes()
        item.add_new("LUTData", *(("OW", raw) if order else ("US", self.entries.tolist())))
        return item


def tables(low: int, high: int) -> st.SearchStrategy[Table]:
    """Tables that begin somewhere among values."""

    def table(first: int, bits: int, length: int, seed: int) -> Table:
        entries = np.random.default_rng(seed).integers(0, 2**bits, length)
        return Table(first, bits, np.sort(entries)[:: 1 if seed % 2 else -1])

    lowest = max(low, -(2**15))
    firsts = st.one_of(st.just(lowest), st.integers(lowest, min(high, 2**16 - 1)))
    return st.builds(
        table, firsts, st.sampled_from([8, 10, 12, 16]), st.sampled_from([2, 7, 256, 4096]), st.integers(0, 9)
    )


@settings(max_examples=100)
@given(st.data())
def test_what_is_shown_is_what_the_header_says(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    bits, signed = data.draw(st.sampled_from([8, 10, 12, 15, 16])), data.draw(st.booleans())
    syntax, photometric = (
        data.draw(st.sampled_from(SYNTAXES)),
        data.draw(st.sampled_from(["MONOCHROME1", "MONOCHROME2"])),
    )
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    stored = np.random.default_rng(data.draw(st.integers(0, 9))).integers(low, high + 1, (4, 5))
    order = data.draw(st.sampled_from([None, ">" if syntax == ExplicitVRBigEndian else "<"]))
    tags: dict[str, Any] = {}

    values, (least, most), whole = stored, (low, high), True
    modality = data.draw(st.sampled_from(["none", "rescale", "rescale", "table"]))
    if modality == "rescale":
        slope, intercept = (
            data.draw(st.sampled_from([1, 2, 0.5, -1, -2.5])),
            data.draw(st.sampled_from([0, -1024, -1024, 999])),
        )
        tags |= {"RescaleSlope": slope, "RescaleIntercept": intercept}
        values, whole = stored * slope + intercept, slope % 1 == 0
        least, most = sorted(int(end * slope + intercept) for end in (low, high))
    elif modality == "table":
        table = data.draw(tables(low, high))
        tags["ModalityLUTSequence"] = [table.item(order)]
        values, (least, most) = table.applied(stored), (0, 2**table.bits - 1)

    if whole and least >= -(2**15) and most < 2**16 and data.draw(st.booleans()):
        shown = data.draw(tables(least, most))
        tags["VOILUTSequence"] = [shown.item(order)]
        unit = shown.applied(values.astype(int)) / (2**shown.bits - 1)
    else:
        width = max(2, (most - least) // data.draw(st.sampled_from([1, 3, 9])))
        tags |= {"WindowCenter": [(least + most) // 2, 5], "WindowWidth": [width, 50]}
        tags["VOILUTFunction"] = data.draw(st.sampled_from([None, "LINEAR", "LINEAR_EXACT", "SIGMOID"]))
        unit = windowed(values, tags, bits, signed=signed)
    if photometric == "MONOCHROME1":
        unit = 1 - unit

    path = tmp_path_factory.getbasetemp() / "shown.dcm"
    pixels = stored.astype(f"{'i' if signed else 'u'}{1 if bits == 8 else 2}")
    save(path, pixels, syntax, CTImageStorage, BitsStored=bits, PhotometricInterpretation=photometric, **tags)
    read_back = read(Path(path), 0, "window")
    np.testing.assert_allclose(read_back.to_float()[..., 0], unit, atol=0.51 / (2**read_back.bits - 1))


def windowed(values: np.ndarray, tags: dict[str, Any], bits: int, *, signed: bool) -> np.ndarray:
    """Apply a window by pydicom, whose result fills the range of what comes in."""
    image = pydicom.Dataset()
    described = {"PhotometricInterpretation": "MONOCHROME2", "BitsStored": bits, "PixelRepresentation": int(signed)}
    for keyword, value in {**described, **tags}.items():
        if value is not None:
            setattr(image, keyword, value)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if "ModalityLUTSequence" in tags:
        low, high = 0, 2 ** tags["ModalityLUTSequence"][0].LUTDescriptor[2] - 1
    slope, intercept = tags.get("RescaleSlope", 1), tags.get("RescaleIntercept", 0)
    ends = [end * slope + intercept for end in (low, high)]
    return (apply_windowing(values, image).astype(float) - ends[0]) / (ends[1] - ends[0])
