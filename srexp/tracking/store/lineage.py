"""Which data a run used, in MLflow's terms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from srexp.lazy_imports import mlflow
from srexp.system.masking.redaction import mask

MAX_DIGEST = 36


class Input(NamedTuple):
    """What MLflow knows a split of a data set by.

    Args:
        name: Data set and what it was used for, `samples/test`.
        digest: Beginning of the fingerprint.
    """

    name: str
    digest: str


def input_of(name: str, fingerprint: str, context: str) -> Input:
    """Name one split of a data set, the way it is logged as an input of a run.

    MLflow knows a data set by name and digest, and keeps one context for each, so the context is part of the name.

    Args:
        name: Name of the data set.
        fingerprint: Digest of pixels, membership and split; MLflow keeps its first 36 characters.
        context: What the split was used for: `train`, `validation`, `test`.

    Returns:
        Name and digest.
    """
    return Input(f"{name}/{context}", fingerprint[:MAX_DIGEST])


def dataset_input(
    *, name: str, source: str, fingerprint: str, context: str, facts: Mapping[str, object]
) -> mlflow.entities.DatasetInput:
    """Describe one split of a data set as an input of a run.

    Args:
        name: Name of the data set.
        source: Where it came from: a folder, a URL, or a package.
        fingerprint: Digest of pixels, membership and split.
        context: What the split was used for: `train`, `validation`, `test`.
        facts: What else is known of it, such as the number of images.

    Returns:
        The input, ready for `MlflowClient.log_inputs`.
    """
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    address = mask(source)
    web = urlsplit(address).scheme in ("http", "https")
    dataset = mlflow.entities.Dataset(
        **input_of(name, fingerprint, context)._asdict(),
        source_type="http" if web else "code",
        source=json.dumps({"url": address} if web else {"tags": {"source": address}}),
        profile=json.dumps(facts),
    )
    return mlflow.entities.DatasetInput(dataset, [mlflow.entities.InputTag(MLFLOW_DATASET_CONTEXT, context)])
