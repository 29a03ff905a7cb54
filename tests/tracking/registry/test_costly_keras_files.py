"""Files that would fill memory, or keep Keras at work: they are refused by name."""

import io
import json
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from srexp.errors import RequestError, SrexpError
from srexp.system import confinement
from srexp.tracking.registry import safe_keras_file
from srexp.tracking.registry.models import load
from srexp.tracking.registry.safe_keras_file import require_plain
from tests.tracking.registry.keras_files import packed, weights

ONE_GIB = 2**30


def claimed(group):
    """A GiB of nothing, in a file of some KiB."""
    group.create_dataset("0", (ONE_GIB // 4,), np.float32, chunks=(2**16,), compression="gzip", fillvalue=1.0)


def test_weights_that_would_fill_memory_are_refused(tracking, tmp_path, parts, grown):
    for kind, content in ((zipfile.ZIP_STORED, weights(claimed)), (zipfile.ZIP_DEFLATED, bytes(2**27))):
        path = packed(tmp_path / "bomb.keras", {**parts, "model.weights.h5": content}, kind)
        with pytest.raises(RequestError, match="is a bomb"):
            load(tracking.store, path)
    assert grown() < 400 * 2**20  # the test itself makes 128 MiB


@pytest.mark.parametrize(
    ("most", "stored"), [(64 * 2**20, 1), (100 * 10**6, 10**6), (ONE_GIB, 10**8)], ids=["slack", "ratio", "largest"]
)
def test_how_much_weights_may_fill(most, stored):
    safe_keras_file._check_size(most, stored, "it")
    with pytest.raises(RequestError, match=f"at most {most} of {stored}"):
        safe_keras_file._check_size(most + 1, stored, "it")


@pytest.mark.parametrize(
    ("name", "limited"), [("config.json", True), ("metadata.json", True), ("model.weights.h5", False)]
)
def test_how_long_a_configuration_may_be(name, limited):
    member = zipfile.ZipInfo(name)
    member.file_size = member.compress_size = 2**23
    safe_keras_file._check_members([member], "it")
    member.file_size += 1
    if limited:
        with pytest.raises(RequestError, match=rf"it is a bomb: {name} has 8,388,609 bytes"):
            safe_keras_file._check_members([member], "it")
    else:
        safe_keras_file._check_members([member], "it")
    member.file_size, member.compress_size = 2**26 + 1, 1
    with pytest.raises(RequestError, match=rf"it is a bomb: {name} would fill 67108865 bytes"):
        safe_keras_file._check_members([member], "it")


def test_what_weights_fill_is_counted_together(tmp_path, parts):
    """In this process, as above."""

    def halves(group):
        for name in "01":
            group.create_dataset(name, (2**25 // 4,), np.float32, chunks=(2**16,), compression="gzip", fillvalue=1.0)

    def more(group):
        halves(group)
        group.create_dataset("deeper/2", data=np.zeros(1, np.float32))

    safe_keras_file._check_weights(io.BytesIO(weights(halves)), 100, "it")
    with pytest.raises(RequestError, match=f"it is a bomb: its weights would fill {2**26 + 4} bytes"):
        safe_keras_file._check_weights(io.BytesIO(weights(more)), 100, "it")


@pytest.mark.parametrize(("count", "most"), [(safe_keras_file._MOST_LAYERS, 1000), (safe_keras_file._MOST_CALLS, 2000)])
def test_how_many_layers_and_calls_are_built(count, most):
    assert count == most
    safe_keras_file._check_count(most, most, "layers", "it")
    with pytest.raises(RequestError, match=f"{most + 1:,} layers"):
        safe_keras_file._check_count(most + 1, most, "layers", "it")


def test_a_configuration_nested_deeper_than_python_recurses_is_refused(tracking, tmp_path, parts):
    for depth in (400, 100_000):
        config = '{"config": [' * depth + "]}" * depth
        with pytest.raises(SrexpError, match=r"is no Keras model file|can't be loaded"):
            load(tracking.store, packed(tmp_path / "deep.keras", {**parts, "config.json": config}))


LAYER = {"module": "keras.layers", "class_name": "ReLU", "config": {}, "inbound_nodes": [{"args": [], "kwargs": {}}]}
CELL = {"module": "keras.layers", "class_name": "SimpleRNNCell", "config": {"units": 2}}
WRAPPED = LAYER
for _ in range(30):
    WRAPPED = {"module": "keras.layers", "class_name": "TimeDistributed", "config": {"layer": WRAPPED}}
COSTLY = {
    "cells": json.dumps({"config": {"layers": [{"class_name": "RNN", "config": {"cell": [CELL] * 1100}}]}}),
    "wrapped": json.dumps({"config": {"layers": [WRAPPED] * 40}}),
    "layers": json.dumps({"class_name": "Functional", "config": {"layers": [LAYER] * 1100}}),
    "nested": json.dumps({"config": {"layers": [{"config": {"layers": [LAYER] * 100}}] * 20}}),
    "calls": json.dumps({"config": {"layers": [{**LAYER, "inbound_nodes": [{"args": []}] * 2100}]}}),
    "bytes": json.dumps({"config": {"layers": [], "name": "a" * 9_000_000}}),
    "depth": "[" * 3_000_000 + "]" * 3_000_000,
}


@pytest.mark.parametrize("content", COSTLY.values(), ids=COSTLY)
def test_a_configuration_that_keras_would_take_long_to_build_is_refused(tmp_path, parts, content):
    path = packed(tmp_path / "costly.keras", {**parts, "config.json": content}, zipfile.ZIP_DEFLATED)
    started = time.monotonic()
    with pytest.raises(SrexpError, match="costly"):
        require_plain(Path(path), "costly.keras")
    assert time.monotonic() - started < 100


def test_weights_that_take_long_are_refused(tmp_path, parts, monkeypatch):
    """Groups without arrays are no bytes, and links make them many."""

    def many(group):
        for number in range(1_500):
            group.create_group(str(number))

    monkeypatch.setattr(confinement, "SECONDS", 0.05)
    path = packed(tmp_path / "slow.keras", {**parts, "model.weights.h5": weights(many)})
    with pytest.raises(RequestError, match=r"slow.keras takes more than 0.05 s"):
        require_plain(Path(path), "slow.keras")


def test_arrays_are_read_once_where_they_do_no_harm(tmp_path, parts):
    def damaged(group):
        group.create_dataset("0", data=np.random.default_rng(1).random((64, 64)), chunks=(64, 64), compression="gzip")

    content = bytearray(weights(damaged))
    at = content.index(b"\x78\x5e") if b"\x78\x5e" in content else content.index(b"\x78\x9c")
    content[at + 100 : at + 200] = bytes(100)
    path = packed(tmp_path / "damaged.keras", {**parts, "model.weights.h5": bytes(content)})
    with pytest.raises(SrexpError, match="no Keras model file"):
        require_plain(Path(path), "damaged.keras")
