"""DICOMweb of Orthanc, and of servers that misbehave."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless

from srexp.enhance.pacs import dicomweb
from srexp.enhance.pacs.addresses import web_address
from srexp.enhance.pacs.dicomweb import Archive, Instance
from srexp.enhance.pacs.sending import AwayError, BrokenOffError, RefusedError
from srexp.errors import RequestError, SrexpError
from tests.archives import MISSING, Orthanc, free_port, orthanc, scan

STUDY = "1.2.826.0.1.3680043.8.498.1"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    if MISSING:
        pytest.skip(MISSING)
    with orthanc(tmp_path_factory.mktemp("orthanc")) as archive:
        yield archive


def archive_of(address: str) -> Archive:
    return Archive(web_address(address, "input", of_study=False), "input")


def test_orthanc_lists_gives_and_takes(running: Orthanc, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    archive, paths = archive_of(running.web), [scan(tmp_path / f"{number}.dcm", number) for number in (1, 2, 3)]
    for path in paths:
        archive.store(path)
        archive.store(path)  # again: the same object
    found = archive.instances(STUDY)
    assert [each.instance for each in found] == [f"{STUDY}.2.{number}" for number in (1, 2, 3)]
    assert {each.kind for each in found} == {pydicom.dcmread(paths[0]).SOPClassUID}
    assert archive.instances(STUDY, f"{STUDY}.2") == found
    assert archive.instances(STUDY, f"{STUDY}.3") == archive.instances("1.2.3") == []
    for each, path in zip(found, paths, strict=True):
        archive.fetch(each, tmp_path / "got" / "one.dcm")
        assert pydicom.dcmread(tmp_path / "got" / "one.dcm") == pydicom.dcmread(path)
    assert [path.name for path in (tmp_path / "got").iterdir()] == ["one.dcm"]
    assert not [word for word in (STUDY, "Unmistakable", "s3cr3t") if word in caplog.text]


def test_what_is_compressed_comes_as_it_is_stored(running: Orthanc, tmp_path: Path) -> None:
    image = pydicom.dcmread(scan(tmp_path / "a.dcm", study="1.2.7"))  # not one that another test lists
    image.compress(JPEG2000Lossless, generate_instance_uid=False)
    image.save_as(tmp_path / "a.dcm")
    running.put(tmp_path / "a.dcm")
    archive_of(running.web).fetch(Instance("1.2.7", "1.2.7.2", image.SOPInstanceUID), tmp_path / "got.dcm")
    assert pydicom.dcmread(tmp_path / "got.dcm").file_meta.TransferSyntaxUID == JPEG2000Lossless


def test_a_wrong_password_is_said_without_it(running: Orthanc) -> None:
    with pytest.raises(RequestError, match="401") as refusal:
        archive_of(running.web.replace("s3cr3t-of", "another-of")).instances(STUDY)
    assert "another-of" not in str(refusal.value)
    assert "~/.netrc" in str(refusal.value)


def test_a_password_may_come_from_netrc(running: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login reader password s3cr3t-of-the-archive\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert archive_of(f"dicomweb+http://127.0.0.1:{running.http}/dicom-web").instances("1.2.3") == []


def test_what_is_not_there_is_said(running: Orthanc, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="404"):
        archive_of(running.web).fetch(Instance(STUDY, "1.2", "1.3"), tmp_path / "got.dcm")
    with pytest.raises(SrexpError):
        archive_of(running.web.replace("dicom-web", "elsewhere")).instances(STUDY)
    assert not (tmp_path / "got.dcm").exists()


@pytest.fixture
def answering() -> Iterator[Callable[..., str]]:
    """Start a server with one answer; gives its address."""
    servers = []

    def start(status: int, body: bytes = b"", kind: str = "application/dicom+json") -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 # a name of http.server

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        return f"dicomweb+http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def failing(reason: int) -> bytes:
    item = {"00081197": {"vr": "US", "Value": [reason]}}
    return json.dumps({"00081198": {"vr": "SQ", "Value": [item]}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, b"", BrokenOffError), (502, b"", AwayError), (404, b"", RefusedError), (400, b"", RefusedError),
        (403, b"", RequestError), (409, failing(0xA700), AwayError), (409, failing(0xC000), RefusedError),
        (409, b"no", RefusedError),
        (202, failing(0xA700), AwayError), (202, failing(0x0110), RefusedError), (200, b"no JSON", SrexpError),
    ],
)  # fmt: skip
def test_what_is_answered_says_whether_to_try_again(
    answering: Callable[..., str], tmp_path: Path, status: int, body: bytes, kind: type[Exception]
) -> None:
    with pytest.raises(kind) as failure:
        archive_of(answering(status, body)).store(scan(tmp_path / "a.dcm"))
    assert type(failure.value) is kind
    assert STUDY not in str(failure.value)


def test_busy_ones_are_asked_again_and_then_away(
    answering: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicomweb, "_FIRST_PAUSE", 0.01)
    with pytest.raises(AwayError):
        archive_of(answering(503)).store(scan(tmp_path / "a.dcm"))


def test_nobody_there_is_away_and_says_why() -> None:
    with pytest.raises(AwayError, match="Connection refused") as failure:
        archive_of(f"dicomweb+http://127.0.0.1:{free_port()}").instances(STUDY)
    assert STUDY not in str(failure.value)


def part(content: bytes) -> bytes:
    return b"\r\n--edge\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--edge--\r\n"


def test_an_object_is_taken_out_of_its_envelope(answering: Callable[..., str], tmp_path: Path) -> None:
    content = scan(tmp_path / "a.dcm").read_bytes() + b"\r\n--edg\r\n\r\n"
    for number, (body, kind) in enumerate(
        [(part(content), 'multipart/related; type="application/dicom"; boundary=edge'), (content, "application/dicom")]
    ):
        target = tmp_path / f"{number}.dcm"
        archive_of(answering(200, body, kind)).fetch(Instance("1.2", "1.2", "1.2"), target)
        assert target.read_bytes() == content


@pytest.mark.parametrize("body", [b"<html>log in</html>", part(b"no DICOM"), part(b""), b""])
def test_what_is_no_object_is_not_kept(answering: Callable[..., str], tmp_path: Path, body: bytes) -> None:
    with pytest.raises(SrexpError, match="something else than a DICOM object"):
        archive_of(answering(200, body, "multipart/related; boundary=edge")).fetch(
            Instance("1", "1", "1"), tmp_path / "a.dcm"
        )
    assert list(tmp_path.iterdir()) == []


def test_an_object_without_end_is_not_kept(
    answering: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicomweb, "LARGEST", 10_000)
    with pytest.raises(SrexpError, match="more than 10,000 bytes"):
        archive_of(answering(200, b"x" * 20_000, "application/dicom")).fetch(
            Instance("1", "1", "1"), tmp_path / "a.dcm"
        )
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_knows_no_offset_is_not_asked_for_ever(answering: Callable[..., str]) -> None:
    item = {"00080018": {"vr": "UI", "Value": ["1.2.3"]}, "0020000E": {"vr": "UI", "Value": ["1.2"]}}
    address = answering(200, json.dumps([item]).encode())
    assert [each.instance for each in archive_of(address).instances("1.2")] == ["1.2.3"]


@pytest.mark.parametrize("uid", ["../../other", "1.2/../../x", ""])
def test_a_uid_that_is_none_leads_nowhere(answering: Callable[..., str], uid: str) -> None:
    item = {"00080018": {"vr": "UI", "Value": [uid]}, "0020000E": {"vr": "UI", "Value": ["1.2"]}}
    with pytest.raises(SrexpError, match="no DICOMweb"):
        archive_of(answering(200, json.dumps([item]).encode())).instances("1.2")
