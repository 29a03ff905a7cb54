"""What a run kept of its configuration: read whole, or refused by name."""

import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import srexp
from srexp.errors import RequestError, SrexpError
from srexp.experiment.recorded_config import kept_by, recomposed, task_of
from srexp.tracking.runs.tracking import Tracking


@pytest.fixture
def kept(tmp_path, made_store):
    """Store and id of a run that kept its configuration, and the file."""
    shutil.copy(made_store, tmp_path / "mlflow.db")
    tracking = Tracking(folder=tmp_path, system_metrics=False)
    asked = srexp.compose(["protocol=y", "trainer.test_size=64"]).resolved
    with tracking.run("task") as run:
        run.log_config(asked, OmegaConf.to_yaml(OmegaConf.create(asked)))
    return tracking.store, run.id, tmp_path / "artifacts" / run.id / "artifacts" / "config.yaml"


def test_a_configuration_that_lost_its_end_is_not_completed_with_defaults(kept, tmp_path):
    store, run_id, place = kept
    assert kept_by(store, run_id, tmp_path)["trainer"]["test_size"] == 64
    lines = place.read_bytes().splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines) if line.startswith(b"verb:"))
    for count in range(0, end + 1, 7):
        place.write_bytes(b"".join(lines[:count]))
        with pytest.raises(SrexpError, match=f"config.yaml of run {run_id} can't be read") as refused:
            kept_by(store, run_id, tmp_path)
        assert str(place) in str(refused.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [", b"- 1\n", b"a: !!python/name:os.system\n", b"\x00", b"3\n"])
def test_what_is_no_configuration_is_refused_by_name(kept, tmp_path, content):
    store, run_id, place = kept
    place.write_bytes(content)
    with pytest.raises(SrexpError, match=r"config.yaml of run"):
        kept_by(store, run_id, tmp_path)


def test_a_run_that_ended_before_it_kept_one_has_none(kept, tmp_path):
    store, run_id, place = kept
    place.unlink()
    assert kept_by(store, run_id, tmp_path) == {}
    with pytest.raises(RequestError, match=f"run {run_id} kept no configuration, so its test images can't be found"):
        task_of(srexp.compose([f"paths.root={tmp_path}"]), store, run_id, fingerprint="f00")


def test_the_weights_of_lpips_are_where_this_command_says():
    def weights(then, *now):
        return recomposed(srexp.compose([*now]), srexp.compose([*then]).resolved).protocol.lpips

    assert weights(["protocol.lpips=gone.npz"]) is None
    assert weights([], "protocol.lpips=here.npz") == Path("here.npz")
    assert weights(["protocol.lpips=gone.npz"], "protocol.lpips=here.npz") == Path("here.npz")
    earlier = srexp.compose([]).resolved
    del earlier["protocol"]["lpips"]
    assert recomposed(srexp.compose([]), earlier).protocol.lpips is None
