"""A receiver whom pynetdicom and DCMTK send to, well-behaved or not."""

from __future__ import annotations

import logging
import select
import shutil
import socket
import sqlite3
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from srexp.enhance.pacs.guarded_socket import LARGEST_UNIT
from srexp.enhance.pacs.receiver import Listening, receiving
from srexp.enhance.pacs.spool import Spool
from srexp.errors import RequestError
from tests.archives import free_port, scan
from tests.enhance.serving.served import eventually

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
needs_dcmtk = pytest.mark.skipif(not shutil.which("storescu"), reason="needs DCMTK's storescu and echoscu")


class Receiver:
    def __init__(self, port: int, spool: Spool) -> None:
        self.port, self.spool = port, spool


@contextmanager
def running(
    folder: Path, look: Callable[[Path], bool] = lambda _: True, *, most: int = 10**7, **changes: object
) -> Iterator[Receiver]:
    described: dict[str, object] = {
        "host": "127.0.0.1", "port": 0, "title": "SREXP", "callers": ["MODALITY"], "hosts": [], "connections": 3,
        "classes": {ComputedRadiographyImageStorage: SYNTAXES}, "max_bytes": 10**5, "idle_seconds": 5.0,
        "message_seconds": 5.0,
    }  # fmt: skip
    listening = Listening(**{**described, **changes})  # type: ignore[arg-type]
    with Spool(folder / "spool", most, "model") as spool, receiving(listening, spool, look) as port:
        yield Receiver(port, spool)


def sent(port: int, path: Path, *, calling: str = "MODALITY", called: str = "SREXP") -> tuple[str, str]:
    """Send an image; gives its status and remark, or why there is none."""
    from pynetdicom.ae import ApplicationEntity

    entity = ApplicationEntity(ae_title=calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 100
    entity.add_requested_context(ComputedRadiographyImageStorage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title=called)
    if not association.is_established:
        return ("rejected" if association.is_rejected else "aborted"), ""
    answer = association.send_c_store(pydicom.dcmread(path))
    if association.is_established:
        association.release()
    return (f"{answer.Status:04X}" if "Status" in answer else "none"), str(answer.get("ErrorComment", ""))


def test_an_image_is_in_the_spool_before_its_sender_is_told(tmp_path: Path) -> None:
    with running(tmp_path) as receiver:
        path = scan(tmp_path / "a.dcm")
        assert sent(receiver.port, path) == ("0000", "")
        [key] = receiver.spool.waiting()
        assert pydicom.dcmread(receiver.spool.received(key)) == pydicom.dcmread(path)
        assert sent(receiver.port, path) == ("0000", "")
        assert receiver.spool.waiting() == [key]
        assert list(receiver.spool.incoming.iterdir()) == []


@needs_dcmtk
def test_dcmtk_is_answered(tmp_path: Path) -> None:
    with running(tmp_path) as receiver:
        who = ["-aet", "MODALITY", "-aec", "SREXP", "127.0.0.1", str(receiver.port)]
        assert subprocess.run(["echoscu", *who], check=False).returncode == 0
        assert subprocess.run(["storescu", "-R", *who, str(scan(tmp_path / "a.dcm"))], check=False).returncode == 0
        assert len(receiver.spool.waiting()) == 1
        foreign = ["-aet", "STRANGER", *who[2:]]
        for command in (["echoscu", *foreign], ["storescu", "-R", *foreign, str(scan(tmp_path / "b.dcm", 2))]):
            refused = subprocess.run(command, check=False, capture_output=True, text=True)
            assert refused.returncode != 0
            assert "Calling AE Title Not Recognized" in refused.stderr
        assert len(receiver.spool.waiting()) == 1


@pytest.mark.parametrize("titles", [{"calling": "STRANGER"}, {"called": "ANOTHER"}])
def test_who_is_not_known_is_refused(tmp_path: Path, titles: dict[str, str]) -> None:
    with running(tmp_path) as receiver:
        assert sent(receiver.port, scan(tmp_path / "a.dcm"), **titles)[0] == "rejected"
        assert receiver.spool.waiting() == []


def test_hosts_that_are_not_named_get_no_answer(tmp_path: Path) -> None:
    with running(tmp_path, hosts=["192.0.2.7"]) as receiver:
        assert sent(receiver.port, scan(tmp_path / "a.dcm"))[0] == "aborted"
    with running(tmp_path, hosts=["127.0.0.1"]) as receiver:
        assert sent(receiver.port, scan(tmp_path / "a.dcm"))[0] == "0000"


def test_what_cannot_be_restored_is_refused_with_the_reason(tmp_path: Path) -> None:
    def look(path: Path) -> bool:
        assert path.stat().st_size > 4000
        raise RequestError("the image is too large")

    with running(tmp_path, look) as receiver:
        assert sent(receiver.port, scan(tmp_path / "a.dcm")) == ("C000", "the image is too large")
        assert receiver.spool.size() == 0


def test_what_srexp_made_is_taken_and_not_kept(tmp_path: Path) -> None:
    with running(tmp_path, lambda _: False) as receiver:
        assert sent(receiver.port, scan(tmp_path / "a.dcm"))[0] == "0000"
        assert receiver.spool.size() == 0


def test_a_full_spool_says_so_and_takes_images_later(tmp_path: Path) -> None:
    with running(tmp_path, most=8000) as receiver:
        first, second = (scan(tmp_path / f"{number}.dcm", number) for number in (1, 2))
        assert sent(receiver.port, first)[0] == "0000"
        assert sent(receiver.port, second) == ("A700", "too many bytes wait")
        receiver.spool.done(receiver.spool.waiting()[0])
        assert sent(receiver.port, second)[0] == "0000"


def test_a_disk_that_takes_nothing_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as receiver:
        monkeypatch.setattr(
            "srexp.enhance.pacs.spool.bring_to_disk", lambda _: (_ for _ in ()).throw(OSError(28, "No space left"))
        )
        assert sent(receiver.port, scan(tmp_path / "a.dcm")) == ("A700", "it can't be kept")
        assert receiver.spool.waiting() == []


def test_a_spool_that_can_not_be_asked_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as receiver:
        path = scan(tmp_path / "a.dcm")
        with monkeypatch.context() as patch:
            patch.setattr(
                receiver.spool, "receive", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("locked"))
            )
            assert sent(receiver.port, path) == ("A700", "it can't be kept")
        assert sent(receiver.port, path)[0] == "0000"


def test_an_object_above_the_bound_ends_its_connection(tmp_path: Path) -> None:
    with running(tmp_path, max_bytes=10**5) as receiver:
        assert sent(receiver.port, scan(tmp_path / "large.dcm", side=1000))[0] == "none"
        assert_empty(receiver)
        assert sent(receiver.port, scan(tmp_path / "a.dcm"))[0] == "0000"


def test_a_unit_that_claims_to_be_long_takes_no_memory(tmp_path: Path) -> None:
    with running(tmp_path) as receiver, socket.create_connection(("127.0.0.1", receiver.port)) as connection:
        connection.sendall(struct.pack(">BxL", 1, LARGEST_UNIT + 1) + b"x" * 4096)
        assert ended(connection)


def test_connections_are_bounded_and_silent_ones_end(tmp_path: Path) -> None:
    path = scan(tmp_path / "a.dcm")
    for seconds in (100.0, 1.0):
        with running(tmp_path, idle_seconds=seconds) as receiver, ExitStack() as stack:
            silent = [stack.enter_context(socket.create_connection(("127.0.0.1", receiver.port))) for _ in range(3)]
            if seconds > 1:  # beside those that stay
                eventually(lambda: sent(receiver.port, path)[0] == "aborted")
            else:
                assert all(map(ended, silent))
                eventually(lambda: sent(receiver.port, path)[0] == "0000")


def test_who_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    with running(tmp_path, max_bytes=10**7) as receiver, socket.create_server(("127.0.0.1", 0)) as listening:

        def forward() -> None:
            sender, _ = listening.accept()
            with sender, socket.create_connection(("127.0.0.1", receiver.port)) as onward:
                left = 500_000
                while left > 0:
                    for one, other in ((sender, onward), (onward, sender)):
                        if select.select([one], [], [], 0.005)[0]:
                            data = one.recv(2**16)
                            other.sendall(data)
                            left -= len(data)
                deadline = time.monotonic() + 60  # half of it lies there
                while receiver.spool.size() < 200_000:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)

        thread = threading.Thread(target=forward)
        thread.start()
        assert sent(listening.getsockname()[1], scan(tmp_path / "a.dcm", side=1000))[0] == "none"
        thread.join()
        assert_empty(receiver)


def assert_empty(receiver: Receiver) -> None:
    until = time.monotonic() + 60
    while receiver.spool.size():
        assert time.monotonic() < until, list(receiver.spool.folder.rglob("*"))
        time.sleep(0.2)


def ended(connection: socket.socket) -> bool:
    connection.settimeout(60)
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    with taken, pytest.raises(RequestError, match="can't listen on"), running(tmp_path, port=taken.getsockname()[1]):
        pass


def test_nobody_is_named_in_logs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with running(tmp_path) as receiver:
        sent(receiver.port, scan(tmp_path / "a.dcm"))
        sent(receiver.port, scan(tmp_path / "a.dcm"), calling="STRANGER")
    said = caplog.text
    assert "an object came: new" in said
    assert not [word for word in ("Unmistakable", "4711", "8.498") if word in said]


def test_the_port_is_free_afterwards(tmp_path: Path) -> None:
    port = free_port()
    for _ in range(2):
        with running(tmp_path, port=port) as receiver:
            assert receiver.port == port
