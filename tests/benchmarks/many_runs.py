"""A store with many runs: one training of SRCNN, and copies of its rows in the database of MLflow."""

from __future__ import annotations

import sqlite3
from pathlib import Path

TRAINING = ["model=srcnn", "trainer.epochs=1", "trainer.steps_per_epoch=2", "trainer.validation_images=1"]
TRAINING += ["trainer.validation_size=64", "trainer.test_size=128", "trainer.precision=float32"]

_OF_RUNS = {table: {"run_uuid": "id"} for table in ("params", "tags", "metrics", "latest_metrics")}
#: Each table in which a run or its registered version has rows, and what a copy has of its own.
_COPIED = {
    "runs": {"run_uuid": "id", "start_time": "start_time + n", "end_time": "end_time + n"},
    **_OF_RUNS,
    "inputs": {"input_uuid": "input_uuid || n", "destination_id": "id"},
    "model_versions": {"run_id": "id", "version": "n"},
    "model_version_tags": {"version": "n"},
}


def copy(database: Path, count: int) -> None:
    """Let a store that has one training, or so many copies of it, have `count`.

    Args:
        database: SQLite file.
        count: How many there are to be; their artifacts are those of the first one.
    """
    with sqlite3.connect(database) as store:
        # A copy of the first training of the store, which is version 1 of its model.
        first = store.execute("SELECT run_uuid FROM runs ORDER BY start_time LIMIT 1").fetchone()[0]
        there = store.execute("SELECT max(version) FROM model_versions").fetchone()[0]
        store.execute("CREATE TEMP TABLE numbers (n INTEGER, id TEXT)")
        numbers = ((number, f"{number:032x}") for number in range(there + 1, count + 1))
        store.executemany("INSERT INTO numbers VALUES (?, ?)", numbers)
        for table, changed in _COPIED.items():
            columns = [column for _, column, *_ in store.execute(f"PRAGMA table_info({table})")]
            given = ", ".join(changed.get(column, column) for column in columns)
            of_first = next((f"{name} = :first" for name, value in changed.items() if value == "id"), "version = 1")
            store.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {given} FROM {table}, numbers WHERE {of_first}",
                {"first": first},
            )
    store.close()
