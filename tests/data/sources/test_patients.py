"""Whose image a file is."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from srexp.data.sources.patients import patients_of
from srexp.errors import RequestError
from srexp.system import confinement
from tests.data.dicom.images import save, unsigned

NIH = r"^(\d{8})"


def files(*keys: str) -> dict[str, Path]:
    return {key: Path("/images", key) for key in keys}


def told(keys: dict[str, Path], patients: str | None, root: Path = Path()) -> list[str]:
    return patients_of(keys, root, patients)


def test_without_a_rule_each_file_is_its_own_patient() -> None:
    assert told(files("a.png", "b/a.png"), None) == ["a.png", "b/a.png"]


def test_pattern_is_sought_in_the_name_wherever_the_file_lies() -> None:
    assert told(files("00000013_026.png", "deep/er/00000013_027.png"), NIH) == ["00000013"] * 2


def test_pattern_with_a_slash_is_sought_in_the_path() -> None:
    assert told(files("site/p1/a.png", "site/p2/b.png"), "^site/([^/]+)/") == ["p1", "p2"]


def test_file_that_does_not_match_is_named() -> None:
    keys = files("00000013_026.png", *(f"scan{number}.png" for number in range(8)))
    with pytest.raises(RequestError, match=r"scan0.png, .*scan4.png and 3 more files"):
        told(keys, NIH)


def test_group_that_matches_nothing_is_no_patient() -> None:
    with pytest.raises(RequestError, match=r"no patient in a\.png"):
        told(files("a.png"), r"^(\d*)")


@pytest.mark.parametrize("pattern", [r"\d{8}", r"(\d)(\d)"])
def test_pattern_needs_one_group(pattern: str) -> None:
    with pytest.raises(RequestError, match=r"has [02] groups[\s\S]*one group"):
        told(files("a.png"), pattern)


def test_broken_pattern_says_where() -> None:
    with pytest.raises(RequestError, match=r"missing \), unterminated subpattern at position 0"):
        told(files("a.png"), "(a")


def test_a_pattern_that_would_take_years_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "SECONDS", 0.2)
    with pytest.raises(RequestError, match=r"dataset\.patients tries too many ways through a name"):
        told(files("a" * 60 + ".png"), "((?:a+)+)$")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_in_either_form_name_one_patient(form: str, tmp_path: Path) -> None:
    """Two forms would be two patients, and images of one would lie on both sides of a split."""
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    names = [unicodedata.normalize(each, f"Mül{number}ler-Zoë.png") for number, each in enumerate((form, other))]
    assert told(files(*names), unicodedata.normalize(form, "(Zoë)")) == ["Zoë", "Zoë"]
    lines = [
        unicodedata.normalize(each, f"{name},Zoë\n") for name, each in zip("aba", (form, other, other), strict=True)
    ]
    table = write_table(tmp_path, "file,patient\n" + "".join(lines))
    assert told(files("a", "b"), table) == ["Zoë", "Zoë"]


def write_table(folder: Path, text: str, encoding: str = "utf-8") -> str:
    (folder / "patients.csv").write_text(text, encoding=encoding)
    return str(folder / "patients.csv")


def test_table_by_path_and_by_name(tmp_path: Path) -> None:
    table = write_table(tmp_path, "file,view,patient\nx/a.png,PA,P1\nb.png,AP, P2 \n", "utf-8-sig")
    assert told(files("x/a.png", "y/b.png"), table) == ["P1", "P2"]


@pytest.mark.parametrize("name", ["t.csv", "T.CSV", "t.tsv", "t.txt"])
def test_table_is_known_by_its_ending(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("file\tpatient\na.png\tP1\n")
    assert told(files("a.png"), name, tmp_path) == ["P1"]


def test_table_may_lie_in_the_root(tmp_path: Path) -> None:
    write_table(tmp_path, "file,patient\na.png,P1\n")
    assert told(files("a.png"), "patients.csv", tmp_path) == ["P1"]


def test_name_that_two_patients_share_is_not_guessed(tmp_path: Path) -> None:
    table = write_table(tmp_path, "file,patient\nx/a.png,P1\ny/a.png,P2\n")
    assert told(files("x/a.png", "y/a.png"), table) == ["P1", "P2"]
    with pytest.raises(RequestError, match=r"no patient for z/a\.png"):
        told(files("z/a.png"), table)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,patient\nb.png,P\n", r"gives no patient for a\.png"),
        ("file,patient\na.png,\n", r"gives no patient for a\.png"),
        ("name,patient\na.png,P\n", r"lacks columns or rows[\s\S]*'name', 'patient'"),
        ("file,patient\n", r"lacks columns or rows[\s\S]*no rows"),
        ("", r"lacks columns or rows"),
    ],
)
def test_table_that_tells_nothing_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        told(files("a.png"), write_table(tmp_path, text))


def test_table_that_is_not_there_is_named() -> None:
    with pytest.raises(RequestError, match=r"does not exist\s+got:\s+'nowhere.csv'"):
        told(files("a.png"), "nowhere.csv")


def test_table_in_another_encoding_is_refused(tmp_path: Path) -> None:
    table = write_table(tmp_path, "file,patient\na.png,M\u00fcller\n", "latin-1")
    with pytest.raises(RequestError, match="no CSV file in UTF-8"):
        told(files("a.png"), table)


OTHER = [
    "a.png",
    "./a.png",
    ".//a.png",
    "b/../a.png",
    ".\\a.png",
    '"a.png"',
    " a.png ",
    "/images/a.png",
    "/images/./a.png",
]


@pytest.mark.parametrize("other", OTHER)
@pytest.mark.parametrize("swapped", [False, True])
def test_one_file_with_two_patients_is_refused_in_any_order(tmp_path: Path, other: str, swapped: bool) -> None:
    rows = ["a.png,P1", "b.png,P3", f"{other},P2"]
    table = write_table(tmp_path, "\n".join(["file,patient", *(rows[::-1] if swapped else rows)]))
    with pytest.raises(RequestError, match=r"patients.csv gives .*a\.png two patients, in lines 2 and 4") as refused:
        told(files("a.png", "b.png"), table, Path("/images"))
    assert "P1" in str(refused.value)
    assert "P2" in str(refused.value)
    write_table(tmp_path, f"file,patient\na.png,P1\n{other},P1\n{other},\n")
    assert told(files("a.png"), table, Path("/images")) == ["P1"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_accent_has_two_forms_and_one_file(tmp_path: Path, form: str) -> None:
    table = write_table(tmp_path, "file,patient\nR\u00f6ntgen.png,P1\n")
    assert told(files(unicodedata.normalize(form, "R\u00f6ntgen.png")), table) == ["P1"]
    write_table(tmp_path, "file,patient\nR\u00f6.png,P1\nRo\u0308.png,P2\n")
    with pytest.raises(RequestError, match="two patients, in lines 2 and 3"):
        told(files("R\u00f6.png"), table)


def test_a_dicom_patient_without_an_issuer_is_the_one_who_has_the_identifier_elsewhere(tmp_path: Path) -> None:
    said = [("7", "H"), ("7", None), ("7", "K"), ("8", "H"), ("8", "K"), ("07", None)]
    for number, (patient, issuer) in enumerate(said):
        tags = {"PatientID": patient, "IssuerOfPatientID": issuer}
        save(tmp_path / str(number), unsigned(8), ExplicitVRLittleEndian, CTImageStorage, **tags)
    paths = {str(number): tmp_path / str(number) for number in range(len(said))}
    assert told(paths, "dicom") == ["/7", "/7", "/7", "H/8", "K/8", "/07"]
