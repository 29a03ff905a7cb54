"""What makes a data set unusable is refused by `check` in the words of a training, as far as names and headers tell."""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

import srexp
from srexp.errors import SrexpError
from srexp.experiment.scoring import require_scorable
from srexp.experiment.task import Task
from tests.data.dicom.images import save, unsigned

ROOT = Path(srexp.__file__).parent / "data"
PATIENTS = "patients.csv"


def picture(path: Path, side: int = 64) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = int.from_bytes(path.name.encode()) % 2**32
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)).save(path)


def pictures(root: Path, *, number: int = 4, side: int = 64) -> None:
    for each in range(number):
        picture(root / f"p{each}.png", side)


def folder(*typed: str, number: int = 4, side: int = 64, make: Callable[[Path], object] | None = None):
    """Give what makes a folder of images, and is typed for it."""

    def made(place: Path) -> list[str]:
        pictures(place / "images", number=number, side=side)
        if make:
            make(place / "images")
        return ["dataset=folder", f"dataset.root={place / 'images'}", "trainer.patch_size=16", *typed]

    return made


def table(content: str | bytes):
    """Give what makes a folder with a table of patients."""
    written = content if isinstance(content, bytes) else content.encode()
    return folder(f"dataset.patients={PATIENTS}", make=lambda root: (root / PATIENTS).write_bytes(written))


def of_two_patients(root: Path) -> None:
    """Put DICOM in the place of a picture and of its partner, and of another patient."""
    for patient, side, pictured in (("A", 64, "high"), ("B", 32, "low")):
        for path in (root / pictured).iterdir():
            path.unlink()
        for name in ("p0", "p1", "p2", "p3"):
            tags = {"PatientID": f"{patient if name == 'p1' else ''}{name}"}
            place = root / pictured / f"{name}.dcm"
            save(place, unsigned(8, (side, side)), ExplicitVRLittleEndian, CTImageStorage, **tags)


def paired(make: Callable[[Path], object], *typed: str):
    """Give what makes two folders."""

    def made(place: Path) -> list[str]:
        pictures(place / "high")
        pictures(place / "low", side=32)
        make(place)
        return ["dataset=paired", f"dataset.root={place}", "trainer.patch_size=16", *typed]

    return made


def renamed(old: str, new: str) -> Callable[[Path], object]:
    return lambda root: (root / old).rename(root / new)


def emptied(name: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_bytes(b"")


def typed(*words: str) -> Callable[[Path], list[str]]:
    return lambda place: [word.format(place) for word in words]


LINES = "".join(f"p{each}.png,{each}\n" for each in range(4))
ZEROS = table(f"file,patient\n{LINES}".encode("utf-16-le"))
#: What is made and typed, by the start of what is said.
REFUSED = {
    "dataset.root is not there": typed("dataset=folder", "dataset.root={}/nowhere"),
    "dataset.root is a file": folder("dataset.root=${oc.env:PWD}/images/p0.png"),
    "dataset.root can't be read: Too many levels": folder(
        "dataset.root=${oc.env:PWD}/images/loop", make=lambda root: (root / "loop").symlink_to("loop")
    ),
    "dataset.root holds no image": folder(number=1, make=renamed("p0.png", "p0.txt")),
    "dataset.root holds no image besides those of dataset.test_root": folder("dataset.test_root=${oc.env:PWD}/images"),
    "dataset.low is not there": paired(renamed("low", "lower")),
    "dataset.low lacks the partner of 1 images: p1": paired(lambda root: (root / "low" / "p1.png").unlink()),
    "dataset.low has 1 images of another patient than their partners: p1": paired(
        of_two_patients, "dataset.patients=dicom"
    ),
    "dataset.high has 1 names twice, with different extensions": paired(
        lambda root: Image.open(root / "high" / "p1.png").save(root / "high" / "p1.tif")
    ),
    "1 of 4 images can't be used:": paired(lambda root: picture(root / "low" / "p1.png", 20)),
    "dataset.patients names a table that does not exist": folder("dataset.patients=nowhere.csv"),
    "dataset.patients: * gives no patient for p3.png": table(f"file,patient\n{LINES[:-8]}"),
    "dataset.patients: * gives p3.png two patients, in lines 5 and 6": table(f"file,patient\n{LINES}p3.png,7\n"),
    "dataset.patients: * writes one patient in two ways, lines 5 and 6": table(f"file,patient\n{LINES}p4.png,03\n"),
    "dataset.patients: * gives a rounded number as patient in line 2": table("file,patient\np0.png,1.23457E+11\n"),
    "dataset.patients: * lacks columns or rows": table(f"a,b\n{LINES}"),
    "dataset.patients: * is no CSV file in UTF-8: it holds zero bytes, as UTF-16 without a mark and spreadsheets do": ZEROS,  # noqa: E501
    "dataset.patients: * is no CSV file in UTF-8: line 2 has another encoding": table(b"file,patient\n\xe4.png,1\n"),
    "dataset.patients: * is no CSV file: *, in the row that begins in line 2": table('file,patient\n"a"b,1\n'),
    "dataset.patients: * has the column file twice": table(f"file,patient,file\n{LINES}"),
    "dataset.patients: * has more cells than columns in line 2": table(f"file,patient\np0.png,a,b\n{LINES}"),
    "dataset.patients has 0 groups": folder("dataset.patients='^p'"),
    "dataset.patients matches no patient in ": folder("dataset.patients='^q(.)'"),
    "dataset.patients=dicom finds no patient in ": folder("dataset.patients=dicom"),
    "dataset.patients is no regular expression: ": folder("dataset.patients='^(p'"),
    "dataset.limit is not positive": folder("dataset.limit=0"),
    "too few patients for a split: 1 with 1 images": folder(number=1),
    "too few patients for a split: 2 with 2 images": folder("dataset.on_error=skip", number=3, make=emptied("p1.png")),
    "no image is left for validation and test": typed("dataset.limit=1"),
    "dataset.fractions has not three numbers": folder("dataset.fractions=[0.9,0.1]"),
    "dataset.fractions can't be used": folder("dataset.fractions=[0.9,0.2,0.1]"),
    "1 of 3 images can't be used:": folder(number=3, make=emptied("p1.png")),
    "4 of 4 images can't be used:": folder("dataset.on_error=skip", side=15),
    "1 of 1 images are too small to be scored": folder("scale=4", side=18),
}
#: Refusals in the same files that nothing in a folder brings about, and why.
OTHERS = {
    "* matches no file": "`enhance`'s",
    "* can't be read: *": "of permissions, which root doesn't need; test_table.py",
    "dataset.patients tries too many ways through a name": "of time; test_patients.py",
    "dataset=samples needs the package pydicom-data, which is not installed": "of the machine; test_samples.py",
    "the package pydicom-data lacks *": "of the machine; test_samples.py",
    "*": "of what has to be downloaded, which `check` says and doesn't do; test_public_dataset.py",
}


def begin_training(asked: list[str]) -> None:
    task = Task(srexp.compose(asked))
    for split in ("validation", "test"):
        require_scorable(task, split)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("said", REFUSED)
def test_check_refuses_in_the_words_of_training(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))
    monkeypatch.setenv("PWD", str(tmp_path))
    asked = REFUSED[said](tmp_path)
    with pytest.raises(SrexpError) as checked:
        srexp.run("check", asked)
    assert fnmatch.fnmatch(str(checked.value), f"{said}*")
    with pytest.raises(SrexpError) as refused:
        begin_training(asked)
    assert str(refused.value) == str(checked.value)


def test_every_refusal_of_a_data_set_is_tried() -> None:
    found = set()
    for path in [*(ROOT / "sources").glob("*.py"), *(ROOT / f"preparation/{name}.py" for name in ("prepare", "split"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RequestError":
                text = node.args[0]
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                found.add("".join(str(each.value) if isinstance(each, ast.Constant) else "*" for each in parts))
    for pattern in found - OTHERS.keys():
        assert any(fnmatch.fnmatch(said, f"{pattern}*") for said in REFUSED), pattern
    assert OTHERS.keys() <= found
