"""Databases that machines share are spoken to with the driver that is there."""

from __future__ import annotations

import pytest

from srexp.errors import RequestError
from srexp.system import database_locks
from srexp.tracking.store.store import resolve


def test_the_installed_driver_is_named_whichever_sqlalchemy_prefers(tmp_path):
    uri = "postgresql://ann:p%40ss@host:5432/runs?sslmode=require"
    assert resolve(uri, tmp_path).uri == uri.replace("postgresql", "postgresql+psycopg")


@pytest.mark.parametrize("installed", ["psycopg2", "psycopg"])
def test_another_driver_will_do(installed, monkeypatch):
    monkeypatch.setattr(database_locks, "_is_installed", lambda name: name == f"postgresql+{installed}")
    assert database_locks.with_driver("postgresql://host/db", "tracking.uri") == f"postgresql+{installed}://host/db"


@pytest.mark.parametrize(
    ("uri", "package"),
    [
        ("postgresql://u:secret@h/db", r'"srexp\[postgres\]"'),
        ("mysql://u:secret@h/db", r'"srexp\[mysql\]"'),
        ("mysql+no://h/db", r'"srexp\[mysql\]"'),
        ("mssql://u:secret@h/db", "pyodbc"),
        ("mssql+pymssql://u:secret@h/db", "pyodbc"),
    ],
)
def test_a_missing_driver_is_named_with_its_package(uri, package, tmp_path, monkeypatch):
    monkeypatch.setattr(database_locks, "_is_installed", lambda name: False)
    with pytest.raises(RequestError, match=rf"tracking\.uri: no driver(.|\n)*pip install {package}") as refused:
        resolve(uri, tmp_path)
    assert "secret" not in str(refused.value)


def test_a_driver_that_no_one_knows_is_not_installed():
    with pytest.raises(RequestError, match="postgresql\\+nonsense"):
        database_locks.with_driver("postgresql+nonsense://host/db", "search.storage")
