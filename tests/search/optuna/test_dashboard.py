"""Optuna's dashboard: of what it is made, and whom it answers."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from importlib.util import find_spec

import pytest

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
    monkeypatch.setattr(dashboard, "find_spec", lambda _: None)
    with pytest.raises(RequestError, match=r"srexp\[dashboard\]"):
        dashboard.require_dashboard()
