"""A study through an archive: fetched, restored, stored; or received, restored, sent on, whatever ends meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from tests.archives import MISSING, Orthanc, free_port, keeper, orthanc, scan
from tests.warm_start import Command

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(600)]

STUDY = "1.2.826.0.1.3680043.8.498.1"
NAMES = ("Unmistakable", "4711", STUDY)
MODEL = "model_uri=zoo/hybrid-cxr-x2"


def until(holds: Callable[[], Any], seconds: float = 120, said: Callable[[], Any] = lambda: "") -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, said()
        time.sleep(0.1)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Orthanc]:
    if MISSING:
        pytest.skip(MISSING)
    with orthanc(tmp_path / "orthanc") as running:
        yield running


class Server:
    """A `serve dicom=true` of the test."""

    def __init__(self, project: Any, destination: str, *words: str) -> None:
        self.project, self.dicom = project, free_port()
        self._words = [
            "serve", MODEL, "runtime=keras", f"port={free_port()}", "dicom=true", "pacs.callers=[MODALITY]",
            f"pacs.port={self.dicom}", f"pacs.destination={destination}", "pacs.retry_seconds=0.3", *words,
        ]  # fmt: skip
        self.spool = project.root / "mlruns" / "pacs" / "spool"
        self.output: list[str] = []

    @contextmanager
    def running(self) -> Iterator[Command]:
        environment = {**os.environ, "SREXP_ROOT": str(self.project.root)}
        log = (self.project.root / "said.txt").open("a")
        with log, Command(self._words, env=environment, stdout=log, stderr=subprocess.STDOUT) as process:
            try:
                until(
                    lambda: "Ctrl-C ends it" in self.said().rpartition("START")[2] or process.poll() is not None,
                    said=self.said,
                )
                assert process.poll() is None, self.said()
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
                    process.wait(timeout=60)
                log.write("START\n")

    def said(self) -> str:
        return (self.project.root / "said.txt").read_text()

    def waiting(self) -> int:
        return len(list((self.spool / "received").iterdir()))

    def send(self, *paths: Path, calling: str = "MODALITY") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["storescu", "-R", "-aet", calling, "-aec", "SREXP", "127.0.0.1", str(self.dicom), *map(str, paths)],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip


def assert_nobody_is_named(root: Path, *texts: str) -> None:
    """But for the spool, nothing that lies in the project says whose images these were."""
    for path in (each for each in (root / "mlruns").rglob("*") if each.is_file() and "spool" not in each.parts):
        content = path.read_bytes()
        assert not [name for name in NAMES if name.encode() in content], path
    for text in texts:
        assert not [name for name in NAMES if name in text], text


def test_a_study_of_an_archive_is_restored_and_its_series_stored_and_shown(project, archive, tmp_path, request):
    sources = [scan(tmp_path / f"{number}.dcm", number, side=96) for number in (1, 2, 3)]
    for path in sources:
        archive.put(path)
    words = ["enhance", MODEL, f"input={archive.web}/studies/{STUDY}", f"output={archive.web}"]
    first = project.run(*words)
    assert first.returncode == 0, first.stderr
    made = [image for each in archive.instances() if (image := archive.read(each)).SOPInstanceUID[:4] == "2.25"]
    assert len(made) == 3
    [series] = {image.SeriesInstanceUID for image in made}
    for image in made:
        [source] = [each for path in sources if (each := pydicom.dcmread(path)).InstanceNumber == image.InstanceNumber]
        assert image.StudyInstanceUID == STUDY
        assert (image.PatientName, image.PatientID) == (source.PatientName, source.PatientID)
        assert series != source.SeriesInstanceUID
        assert image.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert list(image.ImageType)[:2] == ["DERIVED", "SECONDARY"]
        assert "Not for diagnosis" in image.DerivationDescription
        assert (image.Rows, image.Columns) == (192, 192)

    shown = archive.ask(
        f"/dicom-web/studies/{STUDY}/series/{series}/instances/{made[0].SOPInstanceUID}/rendered",
        headers={"Accept": "image/png"},
    )
    picture = Image.open(BytesIO(shown.content))
    assert (picture.size, picture.format) == ((192, 192), "PNG")
    assert np.asarray(picture.convert("L")).std() > 10
    if kept := os.environ.get("SREXP_TEST_PICTURES"):
        picture.save(Path(kept) / "orthanc.png")

    again = project.run(*words)
    assert again.returncode == 0, again.stderr
    assert "skipped   3, finished before" in again.stdout
    assert "deprecated" not in first.stderr + again.stderr
    assert len(archive.instances()) == 6
    result = project.results()[-1]
    assert (len(result["skipped"]), result["restored"], result["failed"]) == (3, [], [])
    assert not list((project.root / "mlruns" / "pacs").iterdir())
    assert_nobody_is_named(project.root, first.stdout + first.stderr, again.stdout + again.stderr)

    into = project.run(
        "enhance", MODEL, f"input={archive.web}/studies/{STUDY}/series/{STUDY}.2", f"output={tmp_path / 'out'}"
    )
    assert into.returncode == 0, into.stderr
    assert sorted(pydicom.dcmread(path).SOPInstanceUID for path in (tmp_path / "out").rglob("*.dcm")) == sorted(
        image.SOPInstanceUID for image in made
    )


def test_an_archive_that_goes_away_gets_the_rest_from_the_same_command(project, archive, tmp_path):
    for number in (1, 2):
        archive.put(scan(tmp_path / f"{number}.dcm", number))
    elsewhere = f"dicomweb+http://127.0.0.1:{free_port()}/dicom-web"
    words = ["enhance", MODEL, f"input={archive.web}/studies/{STUDY}"]
    away = project.run(*words, f"output={elsewhere}")
    assert away.returncode == 1
    assert "can't be reached" in away.stderr
    assert "password" not in away.stderr
    kept = list((project.root / "mlruns" / "pacs").rglob("*.dcm"))
    assert kept
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
    unknown = project.run("enhance", MODEL, f"input={archive.web}/studies/1.2.3.4", f"output={archive.web}")
    assert (unknown.returncode, "no such study" in unknown.stderr) == (2, True), unknown.stderr
    stranger = archive.web.replace("s3cr3t", "wrong")
    locked = project.run("enhance", MODEL, f"input={stranger}/studies/{STUDY}", f"output={archive.web}")
    assert (locked.returncode, "401" in locked.stderr) == (2, True), locked.stderr
    assert not [word for word in ("s3cr3t", "wrong-of") if word in away.stderr + unknown.stderr + locked.stderr]


@pytest.mark.skipif(not shutil.which("storescu"), reason="needs DCMTK's storescu")
def test_what_is_sent_is_restored_and_sent_on_and_comes_back_to_no_effect(project, archive, tmp_path):
    """The archive gets it by C-STORE."""
    server = Server(project, f"dicom://127.0.0.1:{archive.dicom}/ORTHANC")
    paths = [scan(tmp_path / f"{number}.dcm", number) for number in (1, 2, 3)]
    with server.running():
        echo = ["echoscu", "-aet", "MODALITY", "-aec", "SREXP", "127.0.0.1", str(server.dicom)]
        assert subprocess.run(echo, check=False).returncode == 0
        assert server.send(*paths).returncode == 0
        until(lambda: len(archive.instances()) == 3 and not server.waiting(), said=server.said)
        made = [archive.read(each) for each in archive.instances()]
        assert {image.SourceImageSequence[0].ReferencedSOPInstanceUID for image in made} == {
            pydicom.dcmread(path).SOPInstanceUID for path in paths
        }
        back = tmp_path / "back.dcm"
        made[0].save_as(back)
        assert server.send(paths[0], back).returncode == 0  # one again, and what came of it
        foreign = server.send(scan(tmp_path / "9.dcm", 9), calling="STRANGER")
        assert foreign.returncode != 0
        time.sleep(2)
        assert (server.waiting(), len(archive.instances())) == (0, 3)
    assert_nobody_is_named(project.root, server.said())


@pytest.mark.skipif(not shutil.which("storescu"), reason="needs DCMTK's storescu")
def test_killed_between_receipt_and_sending_on_nothing_is_lost_and_nothing_is_there_twice(project, archive, tmp_path):
    """The archive gets it by STOW-RS, is away at first, and the server is killed again and again."""
    server = Server(project, archive.web)
    paths = [scan(tmp_path / f"{number}.dcm", number) for number in range(1, 9)]
    archive.stop()
    with server.running() as process:
        assert server.send(*paths[:4]).returncode == 0  # all are answered
        until(lambda: "nothing is sent on" in server.said(), said=server.said)
        process.kill()
        process.wait()
    # While the archive is away, who has its port meanwhile may refuse one; the next server tries it again.
    assert server.waiting() + len(list((server.spool / "failed").iterdir())) == 4, server.said()
    archive.start()
    told = list(paths[:4])
    for round_ in range(3):
        with server.running() as process:
            fresh = paths[4 + round_]
            if server.send(fresh).returncode == 0:
                told.append(fresh)
            time.sleep(0.4 * round_)
            process.kill()
            process.wait()
    with server.running():
        assert server.send(*paths).returncode == 0  # whoever isn't sure sends everything again
        until(lambda: not server.waiting(), said=server.said)
    made = [archive.read(each) for each in archive.instances()]
    sources = [image.SourceImageSequence[0].ReferencedSOPInstanceUID for image in made]
    assert sorted(sources) == sorted(pydicom.dcmread(path).SOPInstanceUID for path in paths)
    assert len(told) == 7


@pytest.mark.skipif(not shutil.which("storescu"), reason="needs DCMTK's storescu")
def test_a_destination_that_is_away_for_a_while_is_said_once_and_gets_all(project, tmp_path):
    port = free_port()
    server = Server(project, f"dicom://127.0.0.1:{port}/KEEPER")
    paths = [scan(tmp_path / f"{number}.dcm", number) for number in (1, 2)]
    with server.running():
        assert server.send(*paths).returncode == 0
        until(lambda: "nothing is sent on" in server.said(), said=server.said)
        time.sleep(3)
        with keeper(port=port) as kept:
            until(lambda: not server.waiting(), said=server.said)
            assert len(set(kept.uids())) == 2
        assert server.said().count("nothing is sent on") == 1
        assert server.said().count("takes images again") == 1
