"""Models on their way to the registry; whole ways are in `test_recovery.py`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, RESOURCE_ALREADY_EXISTS

from srexp.tracking.journal import upload
from srexp.tracking.journal.journal import Journal, PermanentError
from srexp.tracking.journal.upload import digests, move_forward
from srexp.tracking.store.store import Store


def test_every_file_but_the_description_is_digested(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "model.keras").write_bytes(b"weights")
    (tmp_path / "MLmodel").write_text("names an address")
    assert digests(tmp_path) == {"data/model.keras": hashlib.sha256(b"weights").hexdigest()}


@pytest.mark.parametrize(
    ("held", "smoke", "moved", "told"),
    [
        (None, (), ["3"], "candidate"),
        (2, (), ["3"], "candidate"),
        (4, (), [], "candidate"),
        (2, (3,), [], None),
        (4, (4,), ["3"], "candidate"),
        (2, (2, 3), ["3"], "candidate"),
        (None, (3,), ["3"], "candidate"),
    ],
)
def test_an_alias_never_moves_back_nor_from_a_training_to_a_smoke_test(held, smoke, moved, told) -> None:
    calls: list[str] = []
    client = SimpleNamespace(
        get_registered_model=lambda _: SimpleNamespace(aliases={"candidate": str(held)} if held else {}),
        get_model_version=lambda _name, number: SimpleNamespace(tags={"debug": "fast"} if int(number) in smoke else {}),
        set_registered_model_alias=lambda _name, _alias, number: calls.append(number),
    )
    assert move_forward(client, "task", "candidate", 3) == told  # type: ignore[arg-type]
    assert calls == moved


def test_a_run_that_finished_forgets_what_only_one_that_goes_on_needs() -> None:
    for status, forgotten in (("FINISHED", ["srexp.pid", "srexp.checkpoints"]), ("FAILED", []), ("KILLED", [])):
        client = MagicMock()
        client.get_run.return_value.data.tags = {"srexp.pid": "1", "srexp.checkpoints": "/a", "kept": "2"}
        upload.end(client, "abc", status, 17)
        client.set_terminated.assert_called_once_with("abc", status, end_time=17)
        assert [call.args for call in client.delete_tag.call_args_list] == [("abc", name) for name in forgotten]
    upload.end(client, "abc", "FAILED")
    client.set_terminated.assert_called_with("abc", "FAILED", end_time=None)


@pytest.fixture
def sending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A journal that logged a model, and a registry that has nothing and takes everything."""
    client = MagicMock()
    client.search_model_versions.return_value = []
    client.create_model_version.return_value.version = "3"
    client.get_registered_model.return_value.aliases = {}
    client.get_logged_model.return_value.tags = {}
    came = tmp_path / "came"
    (came / "data").mkdir(parents=True)
    (came / "data" / "model.keras").write_bytes(b"weights")
    monkeypatch.setattr(upload, "download", lambda *_: came)
    journal = Journal.begin(tmp_path, tmp_path / "pending")
    journal.known = {"run_id": "1" * 32, "model_uri": "models:/m-1", "sha256": digests(came)}
    yield SimpleNamespace(client=client, journal=journal, store=Store("sqlite:///a.db", None, None), came=came)
    journal.close()


OPERATION = {"n": 4, "name": "knee", "tags": {"psnr": "33"}, "alias": "candidate", "model": None}


def registered(sending: SimpleNamespace, *, doubtful: bool = False, **changed: Any) -> None:
    operation = {**OPERATION, **changed}
    upload.version(sending.client, sending.store, sending.journal, operation, doubtful=doubtful)


def test_a_model_becomes_a_version_with_its_digest_and_an_alias(sending: SimpleNamespace) -> None:
    registered(sending)
    tags = {
        "run_id": "1" * 32,
        "psnr": "33",
        "digest": f"sha256:{hashlib.sha256(b'weights').hexdigest()}",
        "srexp.journal": f"{sending.journal.id}-4",
    }
    sending.client.create_registered_model.assert_called_once_with("knee")
    sending.client.create_model_version.assert_called_once_with(
        "knee", "models:/m-1", "1" * 32, tags=tags, await_creation_for=0, model_id="m-1"
    )
    sending.client.search_model_versions.assert_not_called()
    sending.client.set_registered_model_alias.assert_called_once_with("knee", "candidate", "3")
    versions = json.dumps([{"name": "knee", "version": "3"}])
    sending.client.set_logged_model_tags.assert_called_once_with("m-1", {"mlflow.modelVersions": versions})
    assert sending.journal.known["registered"] == {"name": "knee", "version": 3, "alias": "candidate"}


def test_what_is_there_already_is_not_made_again(sending: SimpleNamespace) -> None:
    ours = {"srexp.journal": f"{sending.journal.id}-4", "psnr": "33"}
    others = {"srexp.journal": f"{sending.journal.id}-3"}
    sending.client.create_registered_model.side_effect = MlflowException("a", error_code=RESOURCE_ALREADY_EXISTS)
    sending.client.search_model_versions.return_value = [
        SimpleNamespace(version=version, tags=tags) for version, tags in (("7", others), ("8", ours))
    ]
    listed = json.dumps([{"name": "knee", "version": "8"}])
    sending.client.get_logged_model.return_value.tags = {"mlflow.modelVersions": listed}
    registered(sending, doubtful=True)
    sending.client.search_model_versions.assert_called_once_with(f"run_id = '{'1' * 32}'")
    sending.client.create_model_version.assert_not_called()
    sending.client.set_logged_model_tags.assert_not_called()
    assert sending.journal.known["registered"]["version"] == 8
    registered(sending)
    added = [{"name": "knee", "version": "8"}, {"name": "knee", "version": "3"}]
    sending.client.set_logged_model_tags.assert_called_once_with("m-1", {"mlflow.modelVersions": json.dumps(added)})


def test_any_other_refusal_of_a_name_passes_through(sending: SimpleNamespace) -> None:
    sending.client.create_registered_model.side_effect = MlflowException("no", error_code=PERMISSION_DENIED)
    with pytest.raises(MlflowException, match="no"):
        registered(sending)
    assert "registered" not in sending.journal.known


@pytest.mark.parametrize("change", ["another", "gone"])
def test_a_model_that_came_back_different_is_no_version(sending: SimpleNamespace, change: str) -> None:
    network = sending.came / "data" / "model.keras"
    network.unlink() if change == "gone" else network.write_bytes(b"other")
    with pytest.raises(PermanentError, match="models:/m-1 came back different") as refused:
        registered(sending)
    assert refused.value.got == ["data/model.keras"]
    sending.client.create_registered_model.assert_not_called()
    registered(sending, model="models:/m-9")  # which this journal did not log
    assert sending.client.create_model_version.call_args.kwargs["model_id"] == "m-9"


def test_a_journal_that_knows_no_network_names_no_digest(sending: SimpleNamespace) -> None:
    del sending.journal.known["sha256"]
    registered(sending, model="models:/m-9")
    assert "digest" not in sending.client.create_model_version.call_args.kwargs["tags"]
