"""Which data a run used, in MLflow's terms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from srexp.tracking.parameters import mask

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

MAX_DIGEST = 36


def dataset_input(
    *, name: str, source: str, fingerprint: str, context: str, facts: Mapping[str, object]
) -> DatasetInput:
    """Describe one split of a data set as an input of a run.

    MLflow knows a data set by name and digest, and keeps one context for each, so the context is part of the name.

    Args:
        name: Name of the data set.
        source: Where it came from: a folder, a URL, or a package.
        fingerprint: Digest of pixels, membership and split; MLflow keeps its first 36 characters.
        context: What the split was used for: `training`, `validation`, `test`.
        facts: What else is known of it, such as the number of images.

    Returns:
        The input, ready for `MlflowClient.log_inputs`.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    address = mask(source)
    web = urlsplit(address).scheme in ("http", "https")
    dataset = Dataset(
        name=f"{name}/{context}",
        digest=fingerprint[:MAX_DIGEST],
        source_type="http" if web else "code",
        source=json.dumps({"url": address} if web else {"tags": {"source": address}}),
        profile=json.dumps(facts),
    )
    return DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, context)])
