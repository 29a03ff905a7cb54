"""What may be scored, and what is told of scores."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.evaluation.score import score
from srexp.experiment.scoring import figures_of, require_scorable, warnings_of
from srexp.metrics.protocol import Protocol
from srexp.types import Sample


def test_means_that_do_not_exist_are_no_figures():
    high = np.random.default_rng(0).random((20, 20, 1), dtype=np.float32)
    sample = Sample(key="a", patient="p", bits=8, low=high, high=high)
    scores = score(lambda low: low, [sample], Protocol(), 1, baseline=lambda low: 1 - low)
    figures = figures_of(scores)
    assert set(figures) == {"test_ssim", "bicubic_psnr", "bicubic_ssim"}  # the restored image is the target: infinite
    assert figures["test_ssim"] == 1.0


def test_means_over_different_images_are_said_to_be_such():
    high = np.random.default_rng(0).random((20, 20, 1), dtype=np.float32)
    samples = [Sample(key=key, patient="p", bits=8, low=low, high=low) for key, low in (("a", high), ("b", high * 0))]

    def scored(model, baseline):
        return score(model, samples, Protocol(), 1, baseline=baseline)

    def exact_where_black(by):
        return lambda low: low + by * (low.max() > 0)

    both = scored(exact_where_black(0.1), exact_where_black(0.2))
    assert warnings_of(both) == []
    spoils = scored(lambda low: low + 1 / 255, exact_where_black(0.1))
    assert spoils.means()["psnr"] - spoils.means("baseline")["psnr"] > spoils.gain().gain > 0
    assert warnings_of(spoils)[0].startswith("1 image restored exactly by the model or by bicubic, and not by both")
    assert warnings_of(spoils)[0].endswith("(b)")


def test_images_that_are_too_small_are_named_together():
    sizes = {"large": (40, 40), "narrow": (40, 9), "odd": (15, 15)}
    entries = [SimpleNamespace(key=key, height=height, width=width) for key, (height, width) in sizes.items()]
    task = SimpleNamespace(
        config=SimpleNamespace(scale=2),
        parts=SimpleNamespace(protocol=Protocol()),
        prepared=SimpleNamespace(entries={"test": entries}),
    )
    with pytest.raises(RequestError, match=r"2 of 3 images are too small to be scored: narrow, odd(?![\s\S]*shave=)"):
        require_scorable(task, "test")  # 8 pixels are too few for SSIM even without the border
    task.prepared.entries["test"] = entries[::2]
    with pytest.raises(RequestError, match=r"1 of 2 images are too small to be scored: odd[\s\S]*protocol.shave=0"):
        require_scorable(task, "test")
    task.config.scale = 1
    task.prepared.entries["test"] = entries[::2]
    require_scorable(task, "test")
