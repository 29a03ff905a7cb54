"""Which precision training computes in."""

import keras
import pytest

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


def test_auto_is_float32_where_bfloat16_is_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, "has_bfloat16", lambda: False)
    assert numerics.resolve_precision("auto", SMALL["vdsr"]()) == "float32"
