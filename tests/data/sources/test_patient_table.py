"""One file has one patient, however a table names it, and one patient is on one side of a split."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from srexp.data.sources.folder import Folder
from srexp.errors import RequestError

#: Names of one file, seen from the folder that holds images/ and table.csv.
WAYS = {
    "its path": "x/a.png",
    "a dot": "./x/a.png",
    "two slashes": "x//a.png",
    "a detour": "x/../x/a.png",
    "backslashes": "x\\a.png",
    "a dot and backslashes": ".\\x\\a.png",
    "quotes": '"x/a.png"',
    "blanks": "  x/a.png ",
    "below the table's folder": "images/x/a.png",
    "absolute": "{root}/x/a.png",
    "absolute with a link": "{link}/x/a.png",
    "a link to the folder": "../link/x/a.png",
    "a link to the file": "elsewhere.png",
    "another name of the file": "hard.png",
    "one image of it": "x/a.png#0",
    "its bare name": "a.png",
    "its bare name in capitals": "A.PNG",
}
#: Names of what was moved or lies on another machine; they hold where there is one file of that name.
MOVED = {"another drive": "D:\\data\\x\\a.png", "another folder": "old/a.png"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    for name in ("x/a.png", "b.png", "y/c.png"):
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (4, 4), dtype=np.uint8)).save(path)
    (folder / "link").symlink_to(folder / "images")
    (folder / "elsewhere.png").symlink_to(folder / "images/x/a.png")
    os.link(folder / "images/x/a.png", folder / "hard.png")
    return folder


def told(place: Path, *lines: str, root: str = "images") -> dict[str, str]:
    text = "\n".join(["file,patient", *lines])
    return read(place, text.format(root=place / "images", link=place / "link").encode(), root)


def read(place: Path, table: bytes, root: str = "images") -> dict[str, str]:
    (place / "table.csv").write_bytes(table)
    folder = Folder("f", str(place / root), patients=str(place / "table.csv"))
    return {item.key: item.patient for item in folder.items()}


@pytest.mark.parametrize("root", ["images", "link"])
@pytest.mark.parametrize("way", [*WAYS.values(), *MOVED.values()], ids=[*WAYS, *MOVED])
def test_every_way_to_name_a_file_is_read(place: Path, way: str, root: str) -> None:
    assert told(place, f"{way},P1", "b.png,P2", "y/c.png,P3", root=root) == {
        "b.png": "P2",
        "x/a.png": "P1",
        "y/c.png": "P3",
    }


@pytest.mark.parametrize("one", WAYS.values(), ids=WAYS)
def test_two_ways_to_name_a_file_can_not_give_it_two_patients(place: Path, one: str) -> None:
    rest = ["b.png,P3", "y/c.png,P4"]
    for other in WAYS.values():
        with pytest.raises(RequestError, match=r"table.csv gives .* two patients, in lines 2 and 4\s[\s\S]*fix: "):
            told(place, f"{one},P1", rest[0], f"{other},P2", rest[1])
        assert told(place, f"{one},P1", *rest, f"{other},P1")["x/a.png"] == "P1"


def test_a_file_in_two_places_has_one_patient(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "images", tmp_path / "images")
    (tmp_path / "images" / "again.png").symlink_to("x/a.png")
    os.link(tmp_path / "images/x/a.png", tmp_path / "images/hard.png")
    rest = ["b.png,P", "y/c.png,P"]
    for other in ("again.png", "hard.png"):
        with pytest.raises(RequestError, match="two patients, in lines 2 and 5"):
            told(tmp_path, "x/a.png,P1", *rest, f"{other},P2")
    found = told(tmp_path, "x/a.png,P1", *rest)
    assert found["x/a.png"] == found["again.png"] == found["hard.png"] == "P1"


def test_a_name_of_several_files_is_not_guessed(place: Path, tmp_path: Path) -> None:
    for folder in ("low", "high"):
        (tmp_path / "images" / folder).mkdir(parents=True)
        shutil.copy(place / "images/b.png", tmp_path / "images" / folder / "a.png")
    assert told(tmp_path, "a.png,P1") == {"high/a.png": "P1", "low/a.png": "P1"}
    assert told(tmp_path, "a.png,P1", "low/a.png,P2") == {"high/a.png": "P1", "low/a.png": "P2"}
    for lines in (["low/a.png,P1"], ["old/a.png,P1"], ["old/a.png,P1", "new/a.png,P2"]):
        with pytest.raises(RequestError, match=r"gives no patient for high/a\.png"):
            told(tmp_path, *lines)
    with pytest.raises(RequestError, match=r"gives A\.png two patients"):
        told(tmp_path, "a.png,P1", "A.png,P2")
    shutil.copy(place / "images/b.png", tmp_path / "images" / "A.PNG")
    assert told(tmp_path, "A.PNG,P1", "low/a.png,P2", "high/a.png,P3")["A.PNG"] == "P1"


@pytest.mark.parametrize(("one", "other"), [("007", "7"), ("7", "7.0"), ("0012.0", "12"), ("0", "00"), ("1.", "1")])
def test_a_number_that_a_spreadsheet_wrote_anew_is_no_second_patient(place: Path, one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        with pytest.raises(RequestError, match=r"writes one patient in two ways, lines 2 and 4\s[\s\S]*fix: "):
            told(place, f"x/a.png,{first}", "b.png,8", f"y/c.png,{second}")
        assert told(place, f"x/a.png,{first}", "b.png,8", f"y/c.png,{first}")["y/c.png"] == first
    assert told(place, "x/a.png,70", "b.png,7", "y/c.png,7.5")["y/c.png"] == "7.5"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("p1", "P1"), ("Doe J", "Doe  J"), ("Doe J", "DoeJ"), ("Doe J", "Doe\u00a0J"), ("P1", "P1\u200b")),
        *(("7", "\uff17"), ("007", "'007"), ("007", '"=""007"""'), ("7", "+7"), ("7", '"7,0"')),
    ],
)
def test_a_patient_typed_otherwise_is_no_second_one(place: Path, one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        with pytest.raises(RequestError, match="writes one patient in two ways, lines 2 and 4"):
            told(place, f"x/a.png,{first}", "b.png,Q", f"y/c.png,{second}")
    assert len({*told(place, f"x/a.png,{one}", f"b.png,{one}A", f"y/c.png,{one}B").values()}) == 3


@pytest.mark.parametrize("nothing", ["", " ", "nan", "NaN", "None", "NULL", "N/A", "na", "<NA>", "#N/A", "NaT"])
def test_a_cell_that_is_empty_or_says_so_is_no_patient(place: Path, nothing: str) -> None:
    with pytest.raises(RequestError, match=r"gives no patient for b\.png, y/c\.png"):
        told(place, "x/a.png,P1", f"b.png,{nothing}", f"y/c.png,{nothing}")
    assert told(place, "x/a.png,P1", f"b.png,{nothing}", "b.png,Nan cy", "y/c.png,nana")["b.png"] == "Nan cy"


def test_a_number_that_a_spreadsheet_rounded_is_no_patient(place: Path) -> None:
    for rounded in ("1.23457E+11", "1E+11", '"1,23457E+11"'):
        with pytest.raises(RequestError, match=r"gives a rounded number as patient in line 3\s[\s\S]*fix: "):
            told(place, "x/a.png,P1", f"b.png,{rounded}", "y/c.png,1E5")
    assert told(place, "x/a.png,P1", "b.png,P2", "y/c.png,1E5")["y/c.png"] == "1E5"


@pytest.mark.parametrize("old", ["D:\\data\\{}", "/mnt/d/images/{}", "old/{}"])
def test_files_of_one_name_that_were_moved_are_told_by_their_folders(tmp_path: Path, place: Path, old: str) -> None:
    for folder in ("p1", "p2"):
        (tmp_path / "images" / folder).mkdir(parents=True)
        shutil.copy(place / "images/b.png", tmp_path / "images" / folder / "a.png")
    lines = [old.format(f"{folder}/a.png") + f",{patient}" for folder, patient in (("p1", "A"), ("p2", "B"))]
    for told_in in (lines, lines[::-1]):
        assert told(tmp_path, *told_in) == {"p1/a.png": "A", "p2/a.png": "B"}
    with pytest.raises(RequestError, match=r"gives no patient for p1/a\.png, p2/a\.png"):
        told(tmp_path, old.format("p3/a.png") + ",A")


def test_a_line_of_another_file_that_is_there_says_nothing_of_this_one(tmp_path: Path, place: Path) -> None:
    for folder in ("images", "others"):
        (tmp_path / folder).mkdir()
        shutil.copy(place / "images/b.png", tmp_path / folder / "a.png")
    with pytest.raises(RequestError, match=r"gives no patient for a\.png"):
        told(tmp_path, "others/a.png,P1")
    assert told(tmp_path, "others/a.png,P1", "images/a.png,P2") == {"a.png": "P2"}


def test_a_name_with_a_backslash_is_read(tmp_path: Path, place: Path) -> None:
    (tmp_path / "images").mkdir()
    shutil.copy(place / "images/b.png", tmp_path / "images" / "a\\b.png")
    assert told(tmp_path, "a\\b.png,P1") == {"a\\b.png": "P1"}


def test_a_table_is_sought_at_home_and_under_no_name_too_long(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "t.csv").write_text("file,patient\nx/a.png,P\nb.png,P\ny/c.png,P\n")
    assert len(Folder("f", str(place / "images"), patients="~/t.csv").items()) == 3
    with pytest.raises(RequestError, match="names a table that does not exist"):
        Folder("f", str(place / "images"), patients=f"{'a' * 300}.csv").items()


SPELLINGS = [*WAYS.values(), *MOVED.values(), "b.png", "./b.png", "y/c.png", "C.PNG", "nothing.png", ""]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(SPELLINGS), st.sampled_from(["P1", "P2", "", "1", "01"])), max_size=7),
    st.sampled_from([",", ";", "\t", "|", ", "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"]),
)
def test_the_order_of_lines_decides_nothing(
    place: Path, rows: list[tuple[str, str]], separator: str, end: str, encoding: str
) -> None:
    """Both orders are read alike, or both refused with a message that names the table and what it should hold."""
    answers: list[dict[str, str] | str] = []
    for lines in (rows, rows[::-1]):
        text = end.join(separator.join(row) for row in [("File", "Patient"), *lines])
        try:
            answers.append(read(place, text.format(root=place / "images", link=place / "link").encode(encoding)))
        except RequestError as error:
            answers.append(str(error))
    if any(isinstance(answer, str) for answer in answers):
        for answer in answers:
            assert re.search(r"dataset.patients: .*table.csv [\s\S]*expected: ", str(answer))
    else:
        assert answers[0] == answers[1]
        assert set(answers[0]) == {"x/a.png", "b.png", "y/c.png"}
