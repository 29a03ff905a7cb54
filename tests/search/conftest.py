"""A space with everything in it, and trials that cost nothing."""

from __future__ import annotations

import math

import pytest

from tests.search.engines import WORDS, Engine

SPACE = {
    "model": {"type": "categorical", "choices": ["srcnn", "vdsr"]},
    "model.depth": {"type": "int", "low": 8, "high": 20, "step": 4, "when": {"model": "vdsr"}},
    "model.filters": {"type": "categorical", "choices": [[64, 32], [128, 64]], "when": {"model": "srcnn"}},
    "optimizer.lr": {"type": "float", "low": 1e-5, "high": 1e-2, "log": True},
    "augmentation.zoom": {"type": "float", "low": 1.0, "high": 1.5, "step": 0.1},
}


def psnr(values):
    """Best near lr 1e-3, and with a deep VDSR."""
    return 30.0 - abs(math.log10(values["optimizer.lr"]) + 3) + values.get("model.depth", 8) / 40


def train_briefly(attempt):
    final = psnr(attempt.values)
    attempt.note(run_id=f"run{attempt.number}")
    for epoch in range(1, (attempt.epochs or 9) + 1):
        attempt.report(epoch, final - 1 / epoch)
    return [final]


@pytest.fixture
def space():
    return dict(SPACE)


@pytest.fixture
def briefly():
    return train_briefly


@pytest.fixture(params=WORDS)
def engine(request, tmp_path, space):
    """Each engine, with a folder of its own."""
    return Engine(*WORDS[request.param], space, tmp_path)
