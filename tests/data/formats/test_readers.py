"""What bounds a reader changes nothing of what it says: the same questions within bounds and without."""

from __future__ import annotations

from pathlib import Path

import data_store
import pydicom.data
import pytest

from srexp.data.formats import readers, registry
from srexp.data.formats.signatures import kind_of
from srexp.data.image import UnreadableImageError
from tests.data import costly_files
from tests.data.formats.refused import REFUSED
from tests.data.formats.rewriting import FILES
from tests.data.unbounded import outcome

#: What pydicom's packages carry, sound and odd.
DICOM = sorted(
    path
    for folder in (Path(data_store.__file__).parent / "data", Path(pydicom.data.__file__).parent / "test_files")
    for path in folder.glob("*.dcm")
    if path.stat().st_size < 2**16 and path.read_bytes()[128:132] == b"DICM"
)
#: Costly files that are refused for what they claim, before they cost anything.
CLAIMING = [name for name, reason in costly_files.REASONS.items() if not reason.startswith(("takes more", "pages"))]


def agreed(path: Path) -> None:
    """Ask whatever can be asked of a file, both ways."""
    kind = kind_of(path)
    questions = [("frames_in",), ("shape_of",), ("read", 10**6, "bits")]
    questions += [("read", 0, intensity) for intensity in ("bits", "window", "percentile")]
    questions += [("patient_of",), ("identity_of",)] if kind == "dicom" else []
    for action, *arguments in questions:
        bounded = outcome(registry._ask, action, path, *arguments)
        assert bounded == outcome(readers.answer, kind, action, path, *arguments)


def used(path: Path) -> None:
    """Read a file as who uses its images does."""
    for frame in registry.frames_in(path):
        registry.read_image(path, frame)


@pytest.mark.parametrize("name", FILES)
def test_a_sound_file_says_the_same_within_bounds_and_without(name: str, tmp_path: Path) -> None:
    agreed(FILES[name](tmp_path))


@pytest.mark.parametrize("path", DICOM, ids=lambda path: path.name)
def test_a_dicom_file_says_the_same_within_bounds_and_without(path: Path) -> None:
    agreed(path)


@pytest.mark.parametrize("name", CLAIMING)
def test_a_file_that_claims_too_much_is_refused_in_the_same_words(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(costly_files.FILES[name](1))
    agreed(path)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_kept_exactly_is_refused_with_the_reason_in_the_same_words(name: str, tmp_path: Path) -> None:
    make, reason = REFUSED[name]
    make(tmp_path / "file")
    with pytest.raises(UnreadableImageError) as refused:
        used(tmp_path / "file")
    assert reason in refused.value.told()
    agreed(tmp_path / "file")
