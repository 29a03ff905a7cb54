"""The dashboard of a search's database: no page of it and no refusal has the password."""

from __future__ import annotations

import http.client
import importlib
import importlib.util
import socket
import threading
from typing import Any

import optuna
import pytest
from sqlalchemy import make_url

from srexp.cli import run
from srexp.commands import ui
from srexp.config.override_grammar import override
from srexp.search.optuna import storage
from tests.stories.secrets.planted import ADDRESSES, ENDS, MISTYPED, Watched, password


@pytest.mark.one_in(3)
@pytest.mark.parametrize("address", [*ADDRESSES.values(), *MISTYPED.values()])
def test_a_dashboard_whose_database_is_away_or_none_says_no_secret(address: str, watched: Watched) -> None:
    assert run(["ui", "study=tried", override("storage", address)]) in (1, 2)
    assert run(["ui", override("study", address)]) == 2
    assert watched.leaks() == []


@pytest.mark.skipif(importlib.util.find_spec("optuna_dashboard") is None, reason="optuna-dashboard is not installed")
def test_a_dashboard_shows_no_secret(watched: Watched, monkeypatch) -> None:
    """Its pages, what they are made of, and the terminal, of a database that is a file here."""
    database = make_url(f"sqlite:///file:{watched.folder}/studies.db?uri=true&passwd={password('-')}&user=ann")
    optuna.create_study(study_name="tried", storage=database.render_as_string()).add_trial(
        optuna.create_trial(value=1.0)
    )
    monkeypatch.setattr(storage, "parse_url", lambda *_: database)
    pages, make = ["/dashboard/", "/api/studies", "/api/studies/1", "/api/meta", "/nowhere"], ui.server
    answers: list[str] = []

    def asking(*given: Any) -> Any:
        server = make(*given)

        def ask() -> None:
            try:
                for page in pages:
                    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
                    connection.request("GET", page)
                    answer = connection.getresponse()
                    answers.append(f"{answer.status} {answer.headers} {answer.read().decode()}")
            finally:
                server.shutdown()

        threading.Thread(target=ask).start()
        return server

    monkeypatch.setattr(ui, "server", asking)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    typed = [f"port={port}", override("storage", ADDRESSES["query"])]
    with watched.looked_at():
        assert run(["ui", "study=tried", *typed]) == 0
        assert run(["ui", "study=another", *typed]) == 2
    assert [answer.partition(" ")[0] for answer in answers] == ["200"] * 4 + ["404"]
    assert "tried" in answers[1]
    assert not [end for end in ENDS if end in "".join(answers)]
    assert watched.leaks() == []
