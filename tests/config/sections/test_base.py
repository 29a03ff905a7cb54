"""A configuration that is changed, and what it was composed to."""

from __future__ import annotations

from pathlib import Path

import pytest

from srexp.config.compose import compose


def test_a_change_is_in_the_fields_and_in_what_is_logged() -> None:
    config = compose("train", ["trainer.batch_size=auto"])[0]
    changed = config.changed(scale=4, experiment_name="x4", run_dir=Path("elsewhere"), trainer={"batch_size": 8})
    assert (changed.scale, changed.experiment_name, changed.trainer.batch_size) == (4, "x4", 8)
    assert changed.run_dir == Path("elsewhere")
    differing = {key for key in config.resolved if config.resolved[key] != changed.resolved[key]}
    assert differing == {"scale", "experiment_name", "trainer"}
    assert changed.resolved == {
        **config.resolved,
        "scale": 4,
        "experiment_name": "x4",
        "trainer": {**config.resolved["trainer"], "batch_size": 8},
    }
    assert config.trainer.batch_size == "auto"


def test_what_does_not_exist_can_not_be_changed() -> None:
    with pytest.raises(TypeError, match="scal"):
        compose("train", [])[0].changed(scal=4)
