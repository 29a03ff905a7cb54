"""Nothing that names a patient gets from files into what runs keep: the store, journals, reports, logs, pictures."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

import srexp
from srexp.cli import run
from srexp.system.masking.pseudonyms import lookup, names_file, pseudonym
from tests.stories.conftest import TINY

#: Parts of names of files and folders, tags, private tags and cells of tables; whatever they are found in is refused.
PLANTED = ("1945020", "MEIER", "WARD-SEVEN", "PID-4711", "Mustermann", "private-note", "CSV-0815")


@pytest.fixture(autouse=True)
def own_user(project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user in the project's folder, whose key and list of names are made by the test."""
    monkeypatch.chdir(project.root)
    monkeypatch.delenv("SREXP_PSEUDONYM_KEY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def planted(tmp_path: Path, images: Path) -> Path:
    """The small images of ten patients, whose numbers begin the names; two are DICOM files that name persons."""
    root = tmp_path / "images"
    (root / "WARD-SEVEN").mkdir(parents=True)
    for place, path in enumerate(sorted(images.iterdir())):
        target = root / ("WARD-SEVEN" if place % 3 == 0 else "") / f"{19450201 + int(path.stem[:8])}_{place}_MEIER.png"
        target.write_bytes(path.read_bytes())
    for number in range(2):
        data = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
        data.PatientID, data.PatientName = f"PID-4711-{number}", "Mustermann^Erika"
        person = Dataset()
        person.PatientID, person.PatientName = data.PatientID, data.PatientName
        data.OtherPatientIDsSequence = [person]
        private = data.private_block(0x0011, "private-note", create=True)
        private.add_new(1, "LO", "private-note of Mustermann")
        private.add_new(2, "SQ", [person])
        data.PixelData = np.random.default_rng(number).integers(0, 2**12, (64, 64), np.int16).tobytes()
        data.save_as(root / f"{19450208 + number}_20_MEIER.dcm")
    return root


def copy_to_all(image: Path) -> None:
    """Give each patient a copy of an image, so that it lies in all splits."""
    for patient in range(10):
        (image.parent / f"{19450201 + patient}_98_MEIER.png").write_bytes(image.read_bytes())


def of(root: Path) -> list[str]:
    return ["dataset=folder", f"dataset.root={root}", r"dataset.patients='^(\d{8})'"]


def contents(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Give a file as it is, and what is packed in it: archives, tables, and what pictures say beside their pixels."""
    yield name, name.encode() + content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from contents(f"{name}/{member}", archive.read(member))
    elif name.endswith(".parquet"):
        yield name, pd.read_parquet(io.BytesIO(content)).to_csv().encode()
    elif name.endswith(".png"):
        with Image.open(io.BytesIO(content)) as picture:
            yield name, str(picture.info).encode()


def found_in(folder: Path) -> list[str]:
    """Name the files of a folder that hold anything planted, in any of their encodings."""
    files = (path for path in folder.rglob("*") if path.is_file())
    every = (each for path in files for each in contents(str(path.relative_to(folder)), path.read_bytes()))
    marks = [mark.lower().encode(encoding) for mark in PLANTED for encoding in ("utf-8", "utf-16-le")]
    return [name for name, content in every if any(mark in content.lower() for mark in marks)]


def silent(project, said: str = "") -> None:
    assert found_in(project.root / "mlruns") == []
    assert not [mark for mark in PLANTED if mark.lower() in said.lower()]


@pytest.mark.slow
def test_a_data_set_and_restored_files_are_kept_without_names(project, planted, own_user, capfd):
    (planted / "19450209_99_MEIER.png").write_bytes(b"no image")
    copy_to_all(planted / "19450202_2_MEIER.png")
    assert run(["data", *of(planted), "dataset.on_error=skip", "trainer.patch_size=16"]) == 0
    said = "".join(capfd.readouterr())
    silent(project, said)
    assert f"{names_file()} has the names of these images; names=true shows them" in said
    kept = project.results()[-1]
    [skipped] = kept["skipped"]
    assert lookup()[skipped["image"]] == "19450209_99_MEIER.png"
    [found] = [each for each in kept["findings"] if each["kind"] == "duplicates"]
    assert {lookup()[key] for key in found["images"]} >= {"19450209_98_MEIER.png"}
    assert found["images"][0] in found["message"]

    assert run(["enhance", "model_uri=bicubic", f"input={planted}", "output=restored", "format=png"]) == 1
    assert "19450209_99_MEIER.png: " in capfd.readouterr().err  # on the terminal, for whoever has to mend it
    assert run(["enhance", "model_uri=bicubic", f"input={planted}/19450202_2_MEIER.png", "output=one"]) == 0
    silent(project)
    assert (project.root / "restored" / "19450202_2_MEIER.png").is_file()
    assert "19450202_2_MEIER.png" in (project.root / "restored" / "enhanced.csv").read_text()
    assert pseudonym("19450202_2_MEIER.png") in project.results()[-1]["restored"]
    assert not (project.root / "mlruns" / "cache" / "patient-salt").exists()
    assert {path.stat().st_mode & 0o077 for path in (own_user / "srexp").iterdir()} == {0}


@pytest.mark.slow
def test_names_are_shown_where_they_are_asked_for(project, planted, capfd):
    copy_to_all(planted / "19450202_2_MEIER.png")
    result = srexp.run("data", [*of(planted), "names=true", "trainer.patch_size=16"])
    assert any("_98_MEIER.png (test)" in warning for warning in result["warnings"])
    assert "_98_MEIER.png (test)" in capfd.readouterr().out
    srexp.run("enhance", ["model_uri=bicubic", f"input={planted}", "output=restored", "names=true"])
    assert "19450202_2_MEIER.png" in project.results()[-1]["restored"]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("file,patient\n{0},CSV-0815\n{0},CSV-0816\n", "two patients"),
        ("{0},CSV-0815\n", "lacks columns"),
        ("file,patient\nother.png,CSV-0815\n", "gives no patient"),
        (None, "images can't be used"),
        (r"^(\d{9})", "matches no patient"),
    ],
)
def test_refusals_name_files_on_the_terminal_and_in_no_log(project, planted, table, told, capfd):
    (planted / "19450209_99_MEIER.png").write_bytes(b"no image")
    patients = f"'{table or of(planted)[-1].split(chr(39))[1]}'"
    if table and "," in table:
        (project.root / "table.csv").write_text(table.format("19450202_2_MEIER.png"))
        patients = str(project.root / "table.csv")
    asked = ["data", "dataset=folder", f"dataset.root={planted}", f"dataset.patients={patients}"]
    assert run(["-m", *asked] if table is None else asked) == 2
    said = capfd.readouterr().err
    assert told in said
    assert "MEIER" in said or "csv-0815" in said.lower()
    assert list((project.root / "mlruns").rglob("srexp.log"))
    silent(project)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_verb_keeps_a_name(project, planted, own_user, monkeypatch, capfd):
    asked = [*of(planted), *TINY, "tracking.max_images=2", "dataset.fractions=[0.4,0.1,0.5]", "~tags.debug"]
    trained = srexp.run("train", asked)
    uri = f"model_uri={trained['model_uri']}"
    other = srexp.run("evaluate", [*asked[:-1], "model_uri=zoo/hybrid-cxr-x2", "split=test"])
    assert run(["evaluate", *asked[:-1], uri, "split=all"]) == 0
    compared = srexp.run("compare", [f"runs=[{trained['run_id']},{other['run_id']}]"])
    space = "search.space={optimizer.lr:{type:float,low:1e-5,high:1e-4,log:true}}"
    few = ["search.trials=2", "search.workers=1", "search.startup_trials=1"]
    assert run(["search", *asked[:-1], space, *few, "search.name=planted"]) == 0
    promoting = ["promote", "name=folder-bicubic-x2", "version=1"]
    assert run([*promoting, "force=true", "reason=a test"]) == 0
    assert run(["export", uri, "output=exported"]) == 0
    assert found_in(project.root / "exported") == []
    assert run(["enhance", uri, f"input={planted}", "output=restored", "compare=true"]) == 0
    for verb in ("runs", "models"):
        assert run([verb]) == 0
    silent(project, "".join(capfd.readouterr()))
    rows = pd.read_csv(next((project.root / "mlruns" / "artifacts").rglob("scores/test.csv")))
    assert {lookup()[key].count("MEIER") for key in rows["key"]} == {1}
    key = (own_user / "srexp" / "pseudonym-key").read_text().strip()
    monkeypatch.setattr("tests.stories.test_patients.PLANTED", (key,))
    assert found_in(project.root / "mlruns") == []
    assert names_file().is_relative_to(own_user)

    named = srexp.run("compare", [f"runs=[{trained['run_id']},{other['run_id']}]", "names=true"])
    assert named["run_id"] is None
    assert "MEIER" in (project.root / named["report"]).read_text()
    assert [row["means"] for row in named["models"]] == [row["means"] for row in compared["models"]]

    monkeypatch.setenv("SREXP_PSEUDONYM_KEY", "the key of somebody else")
    theirs = srexp.run("evaluate", [*asked[:-1], "model_uri=bicubic", "split=test"])
    capfd.readouterr()
    assert run(["compare", f"runs=[{trained['run_id']},{theirs['run_id']}]"]) == 2
    assert "SREXP_PSEUDONYM_KEY" in capfd.readouterr().err
    assert os.environ["SREXP_PSEUDONYM_KEY"] not in str(project.client().get_run(theirs["run_id"]).to_dictionary())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_neither_a_new_experiment_nor_a_shipped_network_keeps_a_name(project, planted, capfd):
    """What is made of a folder without typing a configuration, or training anything before."""
    (planted / "19450209_99_MEIER.png").write_bytes(b"no image")
    begun = srexp.run("init", [f"dataset.root={planted}", r"dataset.patients='^(\d{8})'", "name=wards"])
    assert (begun.patients, len(begun.unreadable)) == (10, 1)
    silent(project)
    capfd.readouterr()  # on the terminal it names what can't be read

    zoo, asked = "zoo/hybrid-cxr-x2", ["+experiment=wards", *TINY]
    assert run(["data", *asked]) == 0
    trained = srexp.run("train", [*asked, "model=hybrid", f"trainer.start={zoo}", "tracking.max_images=2"])
    scored = srexp.run("evaluate", [*asked, f"model_uri={zoo}", "split=test"])
    report = srexp.run("compare", [f"runs=[{trained.run_id},{scored.run_id}]", "detail=[16,16]"])["report"]
    assert "img" in (project.root / report).read_text()
    assert run(["enhance", f"model_uri={zoo}", f"input={planted}", "output=restored"]) == 1  # one is no image
    silent(project, capfd.readouterr().out)
    gallery = (project.root / "restored" / "gallery.html").read_text()
    assert "MEIER.png" in gallery  # in links to the files beside it
    shown = re.sub('href="[^"]*"', "", gallery)
    assert not [mark for mark in PLANTED if mark.lower() in shown.lower()]
