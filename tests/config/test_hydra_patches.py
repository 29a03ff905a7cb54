"""What is changed of Hydra is put back."""

from __future__ import annotations

import pytest

from srexp.config.hydra_patches import as_wanted


def state() -> list[object]:
    from hydra._internal import utils
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.hydra import Hydra

    return [ConfigLoaderImpl.load_configuration, utils.run_and_report, Hydra.get_mode]


def test_hydra_is_as_it_was_also_after_a_failure() -> None:
    before = state()
    with as_wanted([]):
        assert all(now is not then for now, then in zip(state(), before, strict=True))
    assert state() == before
    with pytest.raises(ZeroDivisionError), as_wanted([]):
        _ = 1 / 0
    assert state() == before


def test_a_mode_that_was_typed_is_looked_for() -> None:
    before = state()
    with as_wanted(["hydra.mode=MULTIRUN"]):
        assert state()[2] is before[2]
