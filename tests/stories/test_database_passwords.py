"""A password may hold any character, typed as it is or encoded: real databases let one in with it."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from sqlalchemy import NullPool, create_engine, text

from srexp.cli import run
from srexp.config.override_grammar import override
from srexp.search.optuna.storage import parse_url
from srexp.system.masking.credentials import hidden
from tests.stories.databases import mysql, postgres

pytestmark = [pytest.mark.system, pytest.mark.slow]

ANY = "q7Xv:/?#[]@!$&'()*+,;=%\"` {}\\<>|^~9zKw"
CHANGES = {"postgresql": "ALTER ROLE ann PASSWORD '{}'", "mysql": "SET PASSWORD = PASSWORD('{}')"}


@pytest.mark.parametrize(("start", "secret"), [(postgres, f"{ANY}é"), (mysql, ANY)])
def test_a_password_of_any_characters_is_let_in(start, secret, project, monkeypatch, capfd) -> None:
    """Of MySQL's those of ASCII: PyMySQL writes the others in Latin-1, which a server takes for another password."""
    monkeypatch.setenv("SREXP_ROOT", str(project.root))
    with start() as server:
        literal = secret.replace("'", "''")
        if server.scheme == "mysql":
            literal = literal.replace("\\", "\\\\")
        change = CHANGES[server.scheme].format(literal).replace(":", r"\:")
        engine = create_engine(server.uri("runs").replace("://", f"+{server.driver}://", 1), poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text(change))
        for password in (secret, quote(secret, safe="")):
            place = f"{server.scheme}://ann:{password}@127.0.0.1:{server.port}"
            url = parse_url(hidden(f"{place}/study"))
            with create_engine(url, poolclass=NullPool).connect() as connection:
                assert connection.execute(text("SELECT 1")).scalar() == 1
            assert run(["runs", override("tracking.uri", f"{place}/runs")]) == 0
        said = capfd.readouterr()
        assert "9zKw" not in said.out + said.err
