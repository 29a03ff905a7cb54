"""Logged and registered models on their way back from the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from srexp.errors import SrexpError
from srexp.tracking.past import run_of_model
from srexp.tracking.store import Store, connect, selected

if TYPE_CHECKING:
    import keras


def load(store: Store, model_uri: str) -> tuple[keras.Model, dict[str, Any]]:
    """Load a model that was logged or registered.

    Args:
        store: Where.
        model_uri: `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `models:/m-ID`.

    Returns:
        The network, not compiled, and what is known of it: `uri`, `run_id`.

    Raises:
        RequestError: There is no such model.
        SrexpError: It can't be loaded.
    """
    import mlflow.keras
    from mlflow.exceptions import MlflowException

    connect(store)
    run_id = run_of_model(store, model_uri)
    try:
        with selected(store.uri):
            model = mlflow.keras.load_model(model_uri, load_model_kwargs={"compile": False})
    except (MlflowException, OSError, ValueError, TypeError, ImportError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SrexpError(f"{model_uri} can't be loaded: {reason}") from error
    return model, {"uri": model_uri, "run_id": run_id}
