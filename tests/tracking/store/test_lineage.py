"""A split of a data set in MLflow's terms."""

from __future__ import annotations

import json

import pytest

from srexp.tracking.store.lineage import MAX_DIGEST, dataset_input, input_of


def test_the_context_is_part_of_the_name_and_the_digest_is_short() -> None:
    assert input_of("samples", "f" * 64, "test") == ("samples/test", "f" * MAX_DIGEST)


@pytest.mark.parametrize(
    ("source", "kind", "kept"),
    [
        ("https://ann:pa55@host/a.zip", "http", {"url": "https://***@host/a.zip"}),
        ("/data/images", "code", {"tags": {"source": "/data/images"}}),
    ],
)
def test_where_data_came_from_is_kept_without_its_password(source: str, kind: str, kept: dict[str, object]) -> None:
    made = dataset_input(name="samples", source=source, fingerprint="abc", context="train", facts={"images": 3})
    assert (made.dataset.source_type, json.loads(made.dataset.source)) == (kind, kept)
    assert json.loads(made.dataset.profile) == {"images": 3}
    assert [(tag.key, tag.value) for tag in made.tags] == [("mlflow.data.context", "train")]
