"""Pseudonyms: stable, told by no one without the key, looked up by the user, and put for names in what is kept."""

from __future__ import annotations

import hmac
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from srexp.errors import RequestError, SrexpError
from srexp.system.masking import pseudonyms
from srexp.system.masking.pseudonyms import (
    Pseudonymous,
    fingerprint,
    lookup,
    named,
    names_file,
    note,
    pseudonym,
    pseudonymised,
    remember,
    where,
)

NIH = "images_001/00000013_026.png"


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has no key yet."""
    monkeypatch.delenv("SREXP_PSEUDONYM_KEY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "srexp"


def test_pseudonyms_are_stable_and_say_nothing_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    first = pseudonym(NIH)
    assert re.fullmatch("image-[0-9a-f]{12}", first)
    assert pseudonym(NIH) == first == pseudonym(first)
    assert pseudonym("images_001/00000013_027.png") != first
    assert pseudonym("00000013", "patient")[-12:] != pseudonym("00000013")[-12:]
    before = fingerprint()
    monkeypatch.setenv("SREXP_PSEUDONYM_KEY", "the key of somebody else")
    assert pseudonym(NIH) != first
    assert fingerprint() != before


def test_the_key_is_made_once_whoever_comes_first_and_only_the_user_reads_it(own_folder: Path) -> None:
    code = "from srexp.system.masking.pseudonyms import pseudonym; print(pseudonym('a.png'))"
    with ThreadPoolExecutor(3) as pool:
        said = list(pool.map(lambda _: subprocess.check_output([sys.executable, "-c", code]), range(3)))
    assert set(said) == {f"{pseudonym('a.png')}\n".encode()}
    assert own_folder.stat().st_mode & 0o077 == 0
    assert re.fullmatch(r"[0-9a-f]{64}\n", (own_folder / "pseudonym-key").read_text())
    remember([NIH])
    assert {path.stat().st_mode & 0o077 for path in own_folder.iterdir()} == {0}


def test_the_environment_gives_the_key_that_is_shared(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SREXP_PSEUDONYM_KEY", "a key that is shared")
    pseudonym(NIH)
    assert not own_folder.exists()
    monkeypatch.setenv("SREXP_PSEUDONYM_KEY", "short")
    with pytest.raises(RequestError, match=r"SREXP_PSEUDONYM_KEY holds no key[\s\S]*at least 16"):
        pseudonym(NIH)


def test_stores_that_share_a_key_agree_whoever_wrote_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of other machines and older versions are found by what the standard library makes of the key."""
    monkeypatch.setenv("SREXP_PSEUDONYM_KEY", " sixteen letters.\n")
    image, patient, key = (
        hmac.new(b"sixteen letters.", text, "sha256").hexdigest() for text in (b"image a\xff", b"patient 7", b"key")
    )
    assert pseudonym("a\udcff") == f"image-{image[:12]}"
    assert pseudonym("7", "patient") == f"patient-{patient[:12]}"
    assert (pseudonyms.TAG, fingerprint()) == ("pseudonym_key", key[:8])


def test_the_list_lies_in_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SREXP_PSEUDONYM_KEY", "a key that is shared")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "not" / "there"))
    remember([NIH])
    assert names_file() == tmp_path / "not" / "there" / "srexp" / "names.txt"
    assert lookup() == {pseudonym(NIH): NIH}
    monkeypatch.setenv("HOME", str(tmp_path))
    for none in ("", "relative"):
        monkeypatch.setenv("XDG_CONFIG_HOME", none)
        assert names_file() == tmp_path / ".config" / "srexp" / "names.txt"


def test_where_names_are_is_said_of_texts_with_pseudonyms() -> None:
    assert where(["a", f"damaged: {pseudonym(NIH)}"]) == f"{names_file()} has the names of these images"
    assert where(["a", NIH]) == ""


def test_a_key_that_was_emptied_is_named_and_not_replaced(own_folder: Path) -> None:
    own_folder.mkdir()
    (own_folder / "pseudonym-key").write_text("\n")
    with pytest.raises(RequestError, match="pseudonym-key holds no key"):
        pseudonym(NIH)


def test_a_folder_that_can_not_be_made_is_said_with_two_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    with pytest.raises(RequestError, match=r"can't be kept[\s\S]*XDG_CONFIG_HOME=.*SREXP_PSEUDONYM_KEY="):
        pseudonym(NIH)


def test_names_are_looked_up_also_those_that_several_processes_entered(own_folder: Path) -> None:
    code = "import sys; from srexp.system.masking.pseudonyms import remember; remember(f'{n}.png' for n in range(300))"
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: subprocess.check_call([sys.executable, "-c", code]), range(3)))
    assert len((own_folder / "names.txt").read_text().splitlines()) == 300
    assert lookup() == {pseudonym(f"{n}.png"): f"{n}.png" for n in range(300)}


def test_a_torn_line_harms_no_other(own_folder: Path) -> None:
    remember([NIH])
    remember(["two words.png"])
    assert len((own_folder / "names.txt").read_text().splitlines()) == 2
    with (own_folder / "names.txt").open("ab") as file:
        file.write(f'{pseudonym("b.png")} "b.p'.encode() + b"\xff")
    remember(["c.png"])
    assert lookup() == {pseudonym(name): name for name in (NIH, "two words.png", "c.png")}


def test_a_list_that_can_not_be_written_is_said_and_the_work_goes_on(
    own_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pseudonym(NIH)
    (own_folder / "names.txt").mkdir()
    remember([NIH])
    assert "can't be looked up" in caplog.text


def test_a_lock_that_another_process_keeps_is_waited_for_a_while(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waited: list[float] = []

    @contextmanager
    def held(_lock: Path, seconds: float, busy: SrexpError) -> Iterator[None]:
        waited.append(seconds)
        raise busy
        yield

    monkeypatch.setattr(pseudonyms, "in_turn", held)
    with pytest.raises(SrexpError, match="another process holds it"):
        pseudonym(NIH)
    monkeypatch.setenv("SREXP_PSEUDONYM_KEY", "a key that is shared")
    remember([NIH])
    assert "(another process holds it): what pseudonyms stand for can't be looked up" in caplog.text
    assert all(1 < seconds < 120 for seconds in waited)
    assert len(waited) == 2


AWKWARD = [
    NIH,
    "Meier, Hans (1945).dcm",
    "MUELLER",
    'say "aaah".png',
    "a\nsrexp: done.png",
    "Röntgen 1.png",
    "x\\y.png",
]


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("text", ["{}: damaged", "in /data/{}", "got: {!r}", "a.png, {} and 3 more"])
def test_no_name_is_left_in_what_is_kept(name: str, text: str) -> None:
    note([name])
    kept = json.dumps(pseudonymised({"what": [text.format(name)], name: 1}), ensure_ascii=False)
    assert kept.count(pseudonym(name)) == 2
    assert name not in kept
    assert repr(name)[1:-1] not in kept


def test_words_and_longer_names_are_left_alone() -> None:
    note(["1", "ct", "train", "scan", "--", "", "scan1.png", "scan1.png#3"])
    assert pseudonymised("1 ct scan, train xscan1.png") == "1 ct scan, train xscan1.png"
    assert pseudonymised("scan1.png#3") == pseudonym("scan1.png#3")
    assert pseudonymised((1, None, 0.5)) == (1, None, 0.5)


def test_logs_that_are_kept_have_no_name_in_tracebacks_either() -> None:
    note([NIH])
    failure = ValueError(NIH)
    record = logging.LogRecord("x", logging.INFO, "", 0, "failed: %s", (NIH,), (ValueError, failure, None))
    assert Pseudonymous().format(record).count(pseudonym(NIH)) == 2
    assert "00000013" not in Pseudonymous().format(record)


def test_what_is_shown_names_files_where_they_are_known() -> None:
    remember([NIH, "a\nb.png"])
    known, strange = pseudonym(NIH), pseudonyms.pseudonym("not here.png")
    assert named(f"{known} ~ {strange}") == f"{NIH} ~ {strange}"
    assert named(pseudonym("a\nb.png")) == "a\\nb.png"
