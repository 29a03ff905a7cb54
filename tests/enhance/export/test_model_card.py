"""What a model card says, and that its example works."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from srexp.enhance.export import model_card
from srexp.enhance.export.export import RUNTIME_OF, Parity, Target, export
from srexp.enhance.export.model_card import card
from srexp.models import vdsr

IMAGES = [np.random.default_rng(0).random(shape, dtype=np.float32) for shape in ((1, 9, 14, 1), (2, 5, 5, 1))]


@pytest.fixture(scope="module")
def network(randomised):
    return randomised(vdsr.build(2, 1, depth=3, width=4))


def test_a_card_says_what_is_not_known():
    parity = Parity(1e-6, 1e-7, 1e-4, ())
    made = {"form": "onnx", "scale": 3, "channels": 1, "version": "9"}
    text = card({"task": "knees-xray-x3", "test_psnr": "41.2", **made}, file="model.onnx", parity=parity)
    assert text.startswith("# knees-xray-x3: not recorded, x3\n")
    assert "| PSNR, dB | 41.2 | not recorded |" in text
    for needed in (
        "research only",
        "not a medical device",
        "(n, h * 3, w * 3, 1)",
        "Licence of the data",
        "InferenceSession",
    ):
        assert needed in text


def test_a_card_says_that_detail_is_invented():
    made = {"form": "onnx", "scale": 3, "channels": 1, "version": "9"}
    plain, told = (card({**made, **more}, "m", Parity(0, 0, 1e-4, ())) for more in ({}, {"detail": "invented"}))
    assert "**Its detail is invented**" in told
    assert "invented" not in plain


@pytest.mark.parametrize("form", RUNTIME_OF)
def test_the_example_in_the_card_works(network, tmp_path, form, monkeypatch):
    import onnxruntime
    import openvino
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    options = {"form": form, "scale": 2, "channels": 1, "version": "9"}
    target = Target(form, tmp_path / "out")
    export(network, target, images=IMAGES, tolerance=1e-4, card=partial(card, options))
    code = (tmp_path / "out" / "MODEL_CARD.md").read_text().split("```python\n")[1].split("```")[0]
    names = {"tf": tf, "onnxruntime": onnxruntime, "openvino": openvino, "Interpreter": Interpreter, "low": IMAGES[0]}
    monkeypatch.chdir(tmp_path / "out")
    exec(code, names)  # our own
    assert names["restored"].shape == (1, 18, 28, 1)


def test_what_a_run_says_is_text_on_a_line_of_its_own():
    hostile = "`a`|b\n\n# Approved for diagnosis\n<script>alert(1)</script>[x](javascript:alert(1))\u202e"
    keys = re.findall(r"known\(\"(\w+)\"\)", Path(model_card.__file__).with_name(model_card.TEMPLATE).read_text())
    made = {"form": "onnx", "scale": 3, "channels": 1, "version": "9"}
    parity = Parity(1e-6, 1e-7, 1e-4, ())
    usual = card({**dict.fromkeys(keys, "said"), **made}, file="model.onnx", parity=parity)
    text = card({**dict.fromkeys(keys, hostile), **made}, file="model.onnx", parity=parity)
    assert len(keys) > 12
    assert text == usual.replace("said", model_card.as_text(hostile))
    assert not set("\n\u202e`|<>[]") & set(model_card.as_text(hostile))
