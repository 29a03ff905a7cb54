"""Precision, seeds and devices that training computes with."""

import logging
from contextlib import suppress
from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf

from srexp.models import bicubic, hybrid, srcnn, vdsr
from srexp.training import numerics

SMALL = {
    "srcnn": lambda: srcnn.build(2, 1, kernels=[3, 1, 3], filters=[4, 4]),
    "vdsr": lambda: vdsr.build(2, 1, depth=3, width=4),
    "hybrid": lambda: hybrid.build(2, 1, wide=4, width=4, blocks=1),
    "bicubic": lambda: bicubic.build(2, 1),
    "sequential": lambda: keras.Sequential([keras.Input((None, None, 1)), keras.layers.UpSampling2D(2)]),
}


@pytest.fixture
def with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, "has_bfloat16", lambda: True)


@pytest.mark.usefixtures("with_bfloat16")
@pytest.mark.parametrize("model", SMALL)
def test_auto_keeps_the_image_out_of_bfloat16(model: str) -> None:
    expected = "mixed_bfloat16" if model in ("vdsr", "hybrid") else "float32"
    assert numerics.resolve_precision("auto", SMALL[model]()) == expected


@pytest.mark.usefixtures("with_bfloat16")
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_what_is_asked_for_is_taken(precision: str) -> None:
    assert numerics.resolve_precision(precision, SMALL["srcnn"]()) == precision


@pytest.mark.parametrize(("devices", "expected"), [({"CPU"}, "float32"), ({"CPU", "GPU"}, "mixed_bfloat16")])
def test_auto_is_float32_where_bfloat16_is_emulated(monkeypatch: pytest.MonkeyPatch, devices: set[str], expected: str):
    monkeypatch.setattr(numerics, "has_bfloat16", lambda: False)
    network = SMALL["vdsr"]()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: list(devices & {kind}))
    assert numerics.resolve_precision("auto", network) == expected


def test_a_policy_holds_within_its_block_alone() -> None:
    before = keras.config.dtype_policy()
    with suppress(KeyboardInterrupt), numerics.policy("mixed_bfloat16"):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        raise KeyboardInterrupt
    assert keras.config.dtype_policy() == before


@pytest.mark.usefixtures("with_bfloat16")
def test_a_network_without_layers_adds_to_no_image() -> None:
    assert numerics.resolve_precision("auto", SimpleNamespace(layers=[])) == "float32"


@pytest.mark.parametrize(
    ("gpus", "told"), [([], "CPU, 3 cores"), (["A"], "GPU: Card A"), (["A", "B"], "GPU: Card A, /gpu:B")]
)
def test_devices_are_named(monkeypatch: pytest.MonkeyPatch, gpus: list[str], told: str) -> None:
    there = {"GPU": [SimpleNamespace(name=f"/gpu:{each}") for each in gpus]}
    known = {"/gpu:A": {"device_name": "Card A"}, "/gpu:B": {}}
    monkeypatch.setattr(numerics, "cores", lambda: 3)
    monkeypatch.setattr(tf.config, "list_physical_devices", there.__getitem__)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: known[gpu.name])
    assert numerics.devices() == told


@pytest.mark.parametrize(("loaded", "said"), [({"tensorflow": tf}, []), ({}, ["loading TensorFlow"])])
def test_only_what_takes_its_time_is_said(monkeypatch: pytest.MonkeyPatch, loaded: dict[str, object], said: list[str]):
    stages: list[str] = []
    monkeypatch.setattr(numerics, "sys", SimpleNamespace(modules=loaded))
    monkeypatch.setattr(numerics, "stage", stages.append)
    numerics.load_quietly()
    assert stages == said


def test_tensorflow_is_loaded_without_its_warnings() -> None:
    logger = tf.get_logger()
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        numerics.load_quietly()
        assert logger.level == logging.ERROR
    finally:
        logger.setLevel(before)


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_seed_decides_and_gpus_take_memory_as_they_need_it(monkeypatch: pytest.MonkeyPatch, deterministic: bool):
    asked: list[object] = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind, kind])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda *of: asked.append(of))
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: asked.append("determinism"))
    drawn = []
    for seed in (3, 3, 4):
        numerics.prepare(seed=seed, deterministic=deterministic)
        drawn.append(float(keras.random.uniform(())))
    assert drawn[0] == drawn[1] != drawn[2]
    assert asked == [*["determinism"] * deterministic, ("GPU", True), ("GPU", True)] * 3
