"""Which processes train together is read of TF_CONFIG, or of what Slurm sets, and nothing else is guessed."""

from __future__ import annotations

import json

import pytest

from srexp.errors import RequestError
from srexp.training.cluster import environment

SLURM = {
    "SLURM_STEP_NUM_TASKS": "3", "SLURM_PROCID": "1", "SLURM_STEP_NODELIST": "n[9-10]",
    "SLURM_STEP_TASKS_PER_NODE": "2,1", "SLURM_JOB_ID": "10005", "SLURMD_NODENAME": "n9", "SLURM_LOCALID": "1",
}  # fmt: skip


def tf_config(index: object = 0, kind: str = "worker", **jobs: object) -> str:
    cluster = jobs or {"worker": ["a:1", "b.c:22"]}
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    ("text", "addresses", "index"),
    [
        (tf_config(0), ("a:1", "b.c:22"), 0),
        (tf_config(1), ("a:1", "b.c:22"), 1),
        (tf_config(0, "chief", chief=["c:3"], worker=["a:1", "b:2"]), ("c:3", "a:1", "b:2"), 0),
        (tf_config(1, worker=["a:1", "b:2"], chief=["c:3"]), ("c:3", "a:1", "b:2"), 2),
    ],
)
def test_tf_config_names_the_processes(text: str, addresses: tuple[str, ...], index: int) -> None:
    assert environment.named(text) == environment.Place(addresses, index)
    assert environment.size({"TF_CONFIG": text}) == len(addresses)


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[]", "7", '"worker"', "{'cluster': 1}", tf_config(2), tf_config(-1), tf_config("0"), tf_config(None),
        tf_config(0, "ps"), tf_config(0, "evaluator"), tf_config(0, worker=["a:1", "b:2"], ps=["c:3"]),
        tf_config(0, worker="a:1"), tf_config(0, worker=["a:1", "a:1"]), tf_config(0, worker=["a", "b:2"]),
        tf_config(0, worker=["a:1", "http://b:2"]), tf_config(0, worker=[["a:1"], "b:2"]),
        tf_config(0, worker=["a:1"], chief=["b:2", "c:3"]), tf_config(0, "chief"), tf_config(0, worker={"a:1": 0}),
    ],
)  # fmt: skip
def test_a_tf_config_that_names_none_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="TF_CONFIG doesn't say which processes train together") as refusal:
        environment.size({"TF_CONFIG": text})
    assert refusal.value.got == text
    assert "TF_CONFIG='{" in refusal.value.fix


def test_slurm_says_how_many_there_are() -> None:
    assert environment.size(SLURM) == 3
    assert environment.size({**SLURM, "TF_CONFIG": tf_config(0)}) == 2


@pytest.mark.parametrize("missing", SLURM)
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(RequestError, match="isn't told which processes train together") as refusal:
        environment.size({name: value for name, value in SLURM.items() if name != missing})
    assert f"is without TF_CONFIG, and without {missing}" in refusal.value.expected
    assert "srun" in refusal.value.expected


@pytest.mark.parametrize(
    "environ", [{"TF_CONFIG": tf_config(0, worker=["a:1"])}, {**SLURM, "SLURM_STEP_NUM_TASKS": "1"}]
)
def test_one_process_alone_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(RequestError, match="is for several processes") as refusal:
        environment.size(environ)
    assert "trainer.strategy=single" in refusal.value.fix
