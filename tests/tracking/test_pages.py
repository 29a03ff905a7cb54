"""Addresses of MLflow's pages."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import yaml

import srexp
from srexp.system.masking.redaction import mask
from srexp.tracking import pages
from srexp.tracking.runs.tracking import Tracking
from srexp.tracking.store.store import connect


def test_the_local_address_is_that_of_ui() -> None:
    conf = yaml.safe_load((Path(srexp.__file__).parent.parent / "conf" / "ui.yaml").read_text(encoding="utf-8"))
    assert f"http://{conf['host']}:{conf['port']}" == pages.LOCAL


def test_a_server_shows_its_own_pages_without_its_password(tmp_path: Path) -> None:
    store = Tracking(folder=tmp_path, uri="http://ann:q7Xv_secret@tracking:5000/").store
    assert pages.server_of(store) == "http://***@tracking:5000"
    assert pages.server_of(Tracking(folder=tmp_path).store) == pages.LOCAL


def test_every_task_begins_with_what_its_runs_scored(tmp_path: Path) -> None:
    client = connect(Tracking(folder=tmp_path).store)
    number = client.create_experiment("knees-bicubic-x2")
    for _ in range(2):
        pages.keep_view(client)
    kept = client.get_experiment(number).tags["mlflow.sharedViewState.srexp"]
    assert "metrics.`test/psnr`" in json.loads(kept)["selectedColumns"]
    address = pages.list_page(pages.LOCAL, number)
    assert unquote(address).endswith("&viewStateShareKey=srexp")
    assert mask(address) == address
