"""MLflow takes every name that is let through; what it refuses is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils import validation

from srexp.errors import RequestError
from srexp.tracking.names import MOST, require_run, require_task

NAMES = st.text(max_size=6) | st.text(alphabet="a./: -_ü\n", max_size=6)


def refused(require, *arguments: object) -> bool:
    try:
        require(*arguments)
    except (RequestError, MlflowException):
        return True
    return False


@given(NAMES)
def test_what_mlflow_refuses_as_a_model_is_no_task(name: str) -> None:
    assert refused(require_task, name) >= refused(validation._validate_model_name, name)


@given(NAMES)
def test_what_mlflow_refuses_as_a_tag_is_none(key: str) -> None:
    assert refused(require_run, None, [key]) >= refused(validation._validate_tag_name, key)


@pytest.mark.parametrize("name", ["samples-bicubic-x2", "größe 2 (neu)", "日本-x4", "a.b"])
def test_names_that_are_fine(name: str) -> None:
    require_task(name)
    require_run(name, ["a/b", "größe", "x y"])
    validation._validate_model_name(name)


@pytest.mark.parametrize("name", ["a/b", "a:b", "..", "..0", " ", "a\tb", "a\0", "\udc80", "x" * (MOST + 1)])
def test_a_task_that_cannot_be_registered_is_refused_with_one_that_can(name: str) -> None:
    with pytest.raises(RequestError, match="no registered model") as told:
        require_task(name)
    require_task(told.value.fix.removeprefix("experiment_name="))


@pytest.mark.parametrize("name", ["a\nb", "x" * (MOST + 1)])
def test_a_run_that_cannot_be_named_so_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="run_name"):
        require_run(name, [])


@pytest.mark.parametrize("key", ["mlflow.user", "mlflow.parentRunId", "srexp.identity"])
def test_no_preset_says_what_a_store_says_of_runs(key: str) -> None:
    """A run of somebody else, below another one, from a commit that it wasn't."""
    with pytest.raises(RequestError, match=r"keep for what they say of a run themselves(.|\n)*fix:\s+\+tags\.\w+_\w+="):
        require_run(None, [key])
    require_run(None, [key.replace(".", "_"), f"my.{key}"])
