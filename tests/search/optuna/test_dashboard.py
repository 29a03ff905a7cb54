"""Optuna's dashboard: of what it is made, and whom it answers."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from importlib.util import find_spec
from socketserver import ThreadingMixIn

import optuna
import pytest
from sqlalchemy import make_url

from srexp.errors import RequestError
from srexp.search.optuna import dashboard
from srexp.search.optuna.engine import Optuna

needs_dashboard = pytest.mark.skipif(find_spec("optuna_dashboard") is None, reason="optuna-dashboard is not installed")


@pytest.fixture
def study(tmp_path):
    space = {"optimizer.lr": {"type": "float", "low": 1e-5, "high": 1e-3, "log": True}}
    found = Optuna(folder=tmp_path, name="tried", space=space, trials=1).open(seed=1, epochs=1)
    found.work(lambda trial: [31.5])
    return tmp_path


@pytest.fixture
def address(study):
    storage, number = dashboard.open_study("tried", study, None)
    with dashboard.server(storage, "127.0.0.1", 0) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}", number
        serving.shutdown()


def answer(url, method="GET", **headers):
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    request = urllib.request.Request(url, method=method, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


@needs_dashboard
def test_it_shows_the_trials_of_the_study_without_a_word_of_each_request(address, capfd):
    server, number = address

    status, page = answer(f"{server}/dashboard/studies/{number}")
    _, detail = answer(f"{server}/api/studies/{number}")

    assert (status, "<title>" in page) == (200, True)
    assert [trial["values"] for trial in json.loads(detail)["trials"]] == [[31.5]]
    assert "".join(capfd.readouterr()) == ""


@needs_dashboard
def test_a_name_that_was_rebound_and_a_foreign_page_get_no_answer(address):
    server, number = address

    assert answer(server, Host="evil.example")[0] == 403
    assert answer(f"{server}/api/studies/{number}", "DELETE", Sec_Fetch_Site="cross-site")[0] == 403
    for origin in ("https://evil.example", "null", server.replace("http://", "http://evil.")):
        assert answer(f"{server}/api/studies/{number}", "DELETE", Origin=origin)[0] == 403
    assert answer(f"{server}/api/studies", Host="localhost:5000")[0] == 200
    assert answer(f"{server}/api/studies/{number}", "DELETE", Origin=server)[0] == 204


@needs_dashboard
def test_a_port_that_is_taken_is_refused(study):
    storage, _ = dashboard.open_study("tried", study, None)
    with dashboard.server(storage, "127.0.0.1", 0) as first, pytest.raises(RequestError, match="can't listen"):
        dashboard.server(storage, "127.0.0.1", first.server_port)


def test_a_study_that_is_not_there_is_refused_with_those_that_are(study):
    with pytest.raises(RequestError, match=r"has no study other\n.*one of tried"):
        dashboard.open_study("other", study, None)


def test_an_address_that_is_none_is_refused_by_its_key(study):
    with pytest.raises(RequestError, match="storage names an unknown database"):
        dashboard.open_study("tried", study, "sqlite:///x.db")


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    asked = []
    monkeypatch.setattr(dashboard, "find_spec", asked.append)
    with pytest.raises(RequestError, match=r"srexp\[dashboard\]"):
        dashboard.require_dashboard()
    assert asked == ["optuna_dashboard"]
    monkeypatch.setattr(dashboard, "find_spec", lambda name: name)
    dashboard.require_dashboard()


def reaches(host, method="GET", **said):
    """Whether a request comes through, by the address that a server listens on."""
    began = []
    names = {"name": "HTTP_HOST", "origin": "HTTP_ORIGIN", "site": "HTTP_SEC_FETCH_SITE"}
    environment = {"REQUEST_METHOD": method, **{names[key]: value for key, value in said.items()}}
    application = dashboard.guarded(lambda *_: [b"the study"], host)
    body = application(environment, lambda status, headers: began.append((status, headers)))
    if body == [b"the study"]:
        assert began == []
        return True
    assert began == [("403 Forbidden", [("Content-Type", "text/plain")])]
    assert body == [b"This server doesn't go by this name, or a page of another origin asks.\n"]
    return False


def test_only_its_own_names_reach_a_server_unless_it_is_open_to_all():
    for host in ("127.0.0.1", "::1", "my.machine"):
        for name in ("localhost", "127.0.0.1", "[::1]", host if ":" not in host else f"[{host}]"):
            assert reaches(host, name=name)
            assert reaches(host, name=f"{name}:8080")
            assert reaches(host, name=name.upper())
        for name in ("evil.example", "evil.example:8080", "localhost.evil.example", ""):
            assert not reaches(host, name=name)
        assert not reaches(host)
    for host in ("0.0.0.0", "::"):  # noqa: S104 - what is open to all
        assert reaches(host, name="evil.example")
        assert reaches(host)


def test_only_pages_of_its_own_origin_change_a_study():
    mine, name = "http://localhost:8080", "localhost:8080"
    for method in ("GET", "HEAD", "OPTIONS"):
        assert reaches("localhost", method, name=name, origin="http://evil.example", site="cross-site")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        for said in ({}, {"origin": mine}, {"origin": mine.upper()}, {"site": "same-origin"}, {"site": "none"}):
            assert reaches("localhost", method, name=name, **said), said
        for origin in ("http://evil.example", "null", "http://localhost:1", f"http://evil://{name}", f"{mine}/", ""):
            said = {"origin": origin}
            assert not reaches("localhost", method, name=name, **said)
            assert not reaches("localhost", method, name=name, **said, site="same-origin")
        for site in ("cross-site", "same-site"):
            assert not reaches("localhost", method, name=name, site=site)
            assert not reaches("localhost", method, name=name, origin=mine, site=site)


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_server_speaks_the_family_of_its_address(host, family):
    made = dashboard._server_of(host)
    assert (made.address_family, made.daemon_threads) == (family, True)
    assert issubclass(made, ThreadingMixIn)


def test_a_study_in_a_database_is_opened_with_its_number(study, tmp_path, monkeypatch):
    asked = []
    url = make_url(f"sqlite:///{tmp_path}/studies.db")
    monkeypatch.setattr(dashboard.kept, "parse_url", lambda *given: asked.append(given) or url)
    for name in ("first", "second"):
        optuna.create_study(storage=url.render_as_string(), study_name=name)

    storage, number = dashboard.open_study("second", study, "mysql://host/studies")
    assert (storage.get_study_name_from_id(number), asked) == ("second", [("mysql://host/studies", "storage")])
    with pytest.raises(RequestError, match=r"the database has no study tried\n.*one of first, second"):
        dashboard.open_study("tried", study, "mysql://host/studies")
    with pytest.raises(RequestError) as refused:
        dashboard.open_study("tried", tmp_path / "empty", None)
    assert (refused.value.expected, str(tmp_path / "empty") in str(refused.value)) == ("", True)
