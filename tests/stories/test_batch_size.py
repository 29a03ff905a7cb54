"""`trainer.batch_size=auto` is found, kept with the run and found again; a batch that is too large is explained."""

import json

import pytest

import srexp
from srexp.cli import run

pytestmark = pytest.mark.system


@pytest.mark.slow
def test_a_size_is_found_kept_and_gives_the_numbers_of_the_same_size_typed(project, folder_of, capfd):
    request = [*folder_of, "trainer.batch_size=auto", "model.kernels=[3,1,3]", "model.filters=[4,4]"]
    found = srexp.run("train", request)
    [note] = (project.root / "mlruns" / "cache" / "batch_sizes").glob("*.json")
    size = json.loads(note.read_text())["batch_size"]
    assert size in (4, 8, 16, 32, 64, 128, 256)
    assert f"batch size  {size}" in capfd.readouterr().out
    params = project.client().get_run(found["run_id"]).data.params
    assert params["trainer.batch_size"] == str(size)

    typed = srexp.run("train", [*request, f"trainer.batch_size={size}"])
    again = srexp.run("train", request)
    for key in ("test", "validation", "best_epoch"):
        assert found[key] == typed[key] == again[key]


def test_a_batch_that_no_machine_has_memory_for_is_explained(project, folder_of, capfd):
    assert run([*folder_of, f"trainer.batch_size={2**30}"]) == 1
    said = capfd.readouterr().err
    assert f"trainer.batch_size={2**30}" in said
    assert "trainer.patch_size=16" in said
    assert "trainer.batch_size=auto" in said
    assert "GiB" in said  # before any memory is taken: a system that grants it all would kill the process
    assert project.runs() == []


def test_a_search_takes_a_number(project, folder_of, capfd):
    space = "search.space={optimizer.lr:{type:float,low:1e-5,high:1e-3,log:true}}"
    assert run(["search", *folder_of, "trainer.batch_size=auto", space]) == 2
    assert "trainer.batch_size=auto is for a training" in capfd.readouterr().err
