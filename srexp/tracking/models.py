"""A model out of the store, with what the store knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from srexp.errors import RequestError
from srexp.tracking.store import Store, connect, selected

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network with what the store knows of it.

    Args:
        model: Uncompiled Keras model.
        uri: Address that was asked for.
        address: Address that always means this model: `models:/m-...`.
        name: Registered model; None when it was not reached through the registry.
        version: Version of the registered model.
        facts: Parameters of the training, and tags of the version.
    """

    model: keras.Model
    uri: str
    address: str
    name: str | None = None
    version: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


def load(store: Store, uri: str) -> Loaded:
    """Load a registered or logged model.

    Args:
        store: Addresses of the store.
        uri: `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `models:/m-...`.

    Returns:
        The model and what is known of it.

    Raises:
        RequestError: There is no such model.
    """
    import mlflow.keras
    from mlflow.exceptions import MlflowException

    client = connect(store)
    place = uri.removeprefix("models:/")
    try:
        version = None
        if not place.startswith("m-"):
            by_alias = "@" in place
            name, _, which = place.rpartition("@" if by_alias else "/")
            version = (client.get_model_version_by_alias if by_alias else client.get_model_version)(name, which)
            place = version.model_id or str(version.source).rpartition("/")[2]
        facts = {**client.get_logged_model(place).params, **(version.tags if version else {})}
        with selected(store.uri):
            model = mlflow.keras.load_model(f"models:/{place}", load_model_kwargs={"compile": False})
    except MlflowException as error:
        raise RequestError("there is no such model", got=uri, expected="models:/NAME@ALIAS or models:/m-ID") from error
    if version is None:
        return Loaded(model, uri, f"models:/{place}", facts=facts)
    return Loaded(model, uri, f"models:/{place}", version.name, int(version.version), facts)
