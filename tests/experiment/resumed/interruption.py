"""What tests of interrupted trainings do: go on, be refused, and say of a run what became of it."""

from __future__ import annotations

import pytest

import srexp
from srexp.errors import RequestError
from srexp.tracking.store.store import connect

TASK = "folder-bicubic-x2"


def go_on(*words):
    return srexp.run("train", list(words))


def refused(*words):
    with pytest.raises(RequestError) as error:
        go_on(*words)
    return str(error.value)


def put(tracking, run_id, status=None, **tags):
    client = connect(tracking.store)
    for key, value in tags.items():
        client.set_tag(run_id, key, value)
    if status:
        client.update_run(run_id, status=status)
