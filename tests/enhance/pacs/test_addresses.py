"""Addresses of archives, and what is refused."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srexp.enhance.pacs.addresses import (
    StoreAddress,
    destination_address,
    is_web,
    require_packages,
    web_address,
)
from srexp.errors import RequestError


@pytest.mark.parametrize(
    ("typed", "url", "study", "series"),
    [
        ("dicomweb://pacs.example/studies/1.2.3", "https://pacs.example", "1.2.3", None),
        ("dicomweb+https://h:8443/a/b/studies/1.2.3/", "https://h:8443/a/b", "1.2.3", None),
        ("dicomweb+http://h/rs/studies/1.2.3/series/2.25.4", "http://h/rs", "1.2.3", "2.25.4"),
    ],
)
def test_a_study_is_named(typed: str, url: str, study: str, series: str | None) -> None:
    found = web_address(typed, "input", of_study=True)
    assert (found.url, found.login, found.study, found.series) == (url, None, study, series)


def test_it_is_encrypted_unless_that_is_said() -> None:
    for typed, scheme in {"dicomweb": "https", "dicomweb+https": "https", "dicomweb+http": "http"}.items():
        assert web_address(f"{typed}://h/rs", "output", of_study=False).url == f"{scheme}://h/rs"


@pytest.mark.parametrize("password", ["plain", "p/w?#", "a:b", "100%"])
def test_a_password_is_for_the_connection_alone(password: str) -> None:
    found = web_address(f"dicomweb://ann:{password}@h:8042/rs", "output", of_study=False)
    assert found.login == ("ann", password)
    assert password not in str(found)


@pytest.mark.parametrize(
    "typed",
    [
        "http://h/studies/1.2.3", "dicomweb:/h/studies/1.2.3", "dicomweb://h/rs", "dicomweb://h:0/studies/1.2.3",
        "dicomweb://h:70000/studies/1.2.3", "dicomweb:///studies/1.2.3", "dicomweb://h/studies/abc", "dicomweb://h/studies/1.02",
        f"dicomweb://h/studies/1.{'2' * 64}", "dicomweb://h/studies/1.2?x=1", "dicomweb://h/studies/1.2/series/", "dicomwebs://h/studies/1.2",
    ],
)  # fmt: skip
def test_what_names_no_study_is_refused(typed: str) -> None:
    with pytest.raises(RequestError, match="input is no address of a study in an archive"):
        web_address(typed, "input", of_study=True)


def test_a_refusal_shows_no_password() -> None:
    with pytest.raises(RequestError) as refusal:
        web_address("dicomweb://ann:hunter2-hunter2@h/studies/nine", "input", of_study=True)
    assert "hunter2" not in str(refusal.value)


def test_nothing_is_sent_to_a_study() -> None:
    with pytest.raises(RequestError, match="output is no address of an archive"):
        web_address("dicomweb://h/studies/1.2.3", "output", of_study=False)


@pytest.mark.parametrize(
    "typed",
    [
        "dicom://h/PACS",
        "dicom://h:104",
        "dicom://h:104/SEVENTEEN-LETTERS",
        "dicom://h:104/A\\B",
        "h:104",
        "dicom://h:99999/A",
    ],
)
def test_what_takes_no_images_is_refused(typed: str) -> None:
    with pytest.raises(RequestError, match="no address that images can be sent to"):
        destination_address(typed, "pacs.destination")


@given(
    st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True),
    st.integers(1, 65535),
    st.from_regex(r"[A-Z0-9_]{1,16}", fullmatch=True),
)
def test_what_is_said_of_a_destination_reads_back(host: str, port: int, title: str) -> None:
    address = StoreAddress(host, port, title)
    assert destination_address(str(address), "pacs.destination") == address


def test_folders_and_patterns_are_no_addresses() -> None:
    assert [is_web(each) for each in ("scans", "scans/**/*.dcm", "C:/scans", "dicomweb://h", "http://h")] == [
        False
    ] * 3 + [True] * 2


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    for ask in (
        lambda: require_packages("dicom=true", "dicom", "dicomweb"),
        lambda: web_address("dicomweb://h/studies/1.2", "input", of_study=True),
        lambda: destination_address("dicom://h:104/A", "pacs.destination"),
    ):
        with pytest.raises(RequestError, match="needs a package that is not installed") as refusal:
            ask()
        assert 'pip install "srexp[pacs]"' in str(refusal.value)
