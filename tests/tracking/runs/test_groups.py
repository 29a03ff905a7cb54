from __future__ import annotations

import subprocess
import sys

from srexp.system import process_identity
from srexp.tracking.runs import groups
from srexp.tracking.store.store import connect


def test_children_whose_process_died_are_ended_and_the_others_left_alone(tracking):
    client = connect(tracking.store)
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        dead = process_identity.process_tags(process.pid)
    parent = groups.open_parent(tracking.store, "task", name="p", tags={}, process=process_identity.process_tags())
    experiment = client.get_run(parent).info.experiment_id

    def child(**tags: str) -> str:
        return client.create_run(experiment, tags=tags).info.run_id

    mine = {"mlflow.parentRunId": parent}
    lost = child(**mine, **dead)
    others = [
        child(**mine, **process_identity.process_tags()),
        child(**mine, **{**dead, "srexp.host": "b"}),
        child(**dead),
    ]

    assert groups.reap(tracking.store, parent=parent, status="FAILED", reason="ended by SIGKILL") == [lost]

    ended = client.get_run(lost)
    assert (ended.info.status, ended.data.tags["srexp.error"]) == ("FAILED", "ended by SIGKILL")
    assert {client.get_run(run_id).info.status for run_id in (*others, parent)} == {"RUNNING"}
    assert groups.reap(tracking.store, experiment="another", reason="gone") == []
    assert groups.reap(tracking.store, experiment="task", reason="gone") == [others[-1]]
    assert client.get_run(others[-1]).info.status == "KILLED"


def test_a_finished_run_is_found_by_a_part_of_a_tag(tracking):
    assert groups.find_finished(tracking.store, "task", "srexp.identity", "ab-%") is None
    assert connect(tracking.store).get_experiment_by_name("task") is None
    with tracking.run("task", tags={"srexp.identity": "ab-12"}) as run:
        assert groups.find_finished(tracking.store, "task", "srexp.identity", "ab-%") is None
    assert groups.find_finished(tracking.store, "task", "srexp.identity", "ab-%") == run.id
    assert groups.find_finished(tracking.store, "task", "srexp.identity", "b-%") is None
