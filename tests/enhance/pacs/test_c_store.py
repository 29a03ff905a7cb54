"""Sending by C-STORE to pynetdicom's and DCMTK's receivers."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pydicom
import pytest

from srexp.enhance.pacs.addresses import StoreAddress
from srexp.enhance.pacs.c_store import store
from srexp.enhance.pacs.sending import AwayError, BrokenOffError, RefusedError
from tests.archives import free_port, keeper, scan


def address(port: int, title: str = "KEEPER") -> StoreAddress:
    return StoreAddress("127.0.0.1", port, title)


def test_it_arrives_as_it_is(tmp_path: Path) -> None:
    path = scan(tmp_path / "a.dcm")
    with keeper() as kept:
        store(path, address(kept.port), title="SREXP")
    assert kept.uids() == [pydicom.dcmread(path).SOPInstanceUID]
    assert kept.got[0].pixel_array.tolist() == pydicom.dcmread(path).pixel_array.tolist()


@pytest.mark.parametrize(
    ("status", "kind"), [(0xA700, AwayError), (0xC000, RefusedError), (0xA900, RefusedError), (0x0124, RefusedError)]
)
def test_what_is_answered_says_whether_to_try_again(tmp_path: Path, status: int, kind: type[Exception]) -> None:
    with keeper() as kept:
        kept.answers = [status, 0xB000]
        with pytest.raises(kind, match=f"status {status:04X}"):
            store(scan(tmp_path / "a.dcm"), address(kept.port), title="SREXP")
        store(scan(tmp_path / "a.dcm"), address(kept.port), title="SREXP")  # a warning is a success


def test_nobody_there_is_away(tmp_path: Path) -> None:
    with pytest.raises(AwayError, match="can't be reached"):
        store(scan(tmp_path / "a.dcm"), address(free_port()), title="SREXP")


def test_a_class_that_is_not_taken_is_refused(tmp_path: Path) -> None:
    path = scan(tmp_path / "a.dcm", SOPClassUID=pydicom.uid.CTImageStorage)
    with keeper() as kept, pytest.raises(RefusedError, match="takes no objects of the class 'CT Image Storage'"):
        store(path, address(kept.port), title="SREXP")


@pytest.mark.skipif(not shutil.which("storescp"), reason="needs DCMTK's storescp")
@pytest.mark.parametrize("options", [[], ["+xi"]])  # with what both like, and with implicit VR alone
def test_dcmtk_takes_it(tmp_path: Path, options: list[str]) -> None:
    port, path = free_port(), scan(tmp_path / "a.dcm")
    got = tmp_path / "got"
    got.mkdir()
    with subprocess.Popen(["storescp", *options, "-od", str(got), "-aet", "DCMTK", str(port)]) as process:
        try:
            until = time.monotonic() + 100
            while True:
                try:
                    store(path, address(port, "DCMTK"), title="SREXP")
                    break
                except AwayError:
                    assert time.monotonic() < until
                    time.sleep(0.2)
        finally:
            process.terminate()
    [file] = got.iterdir()
    assert pydicom.dcmread(file).pixel_array.tolist() == pydicom.dcmread(path).pixel_array.tolist()


@pytest.mark.skipif(not shutil.which("storescp"), reason="needs DCMTK's storescp")
def test_one_that_breaks_off_may_take_others(tmp_path: Path) -> None:
    port, path = free_port(), scan(tmp_path / "a.dcm")
    command = ["storescp", "--abort-during", "-od", str(tmp_path), "-aet", "DCMTK", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 100
            while True:
                with pytest.raises(AwayError) as failure:
                    store(path, address(port, "DCMTK"), title="SREXP")
                if isinstance(failure.value, BrokenOffError):
                    break
                assert time.monotonic() < until
                time.sleep(0.2)
        finally:
            process.terminate()
