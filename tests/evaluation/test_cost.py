"""Multiply-adds as the literature counts them, and by hand for layers that it doesn't mention."""

import ast
from pathlib import Path

import keras
import pytest

import srexp
from srexp.evaluation.cost import cost, parameters
from srexp.models import bicubic, hybrid, rlfn, srcnn, vdsr

GIGA_720P = 1280 * 720 / 1e15  # from multiply-adds per megapixel to 10^9 of them at 720p


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_published_figures_at_720p(scale):
    # SRCNN 52.7 G and VDSR 612.6 G: Chu et al. 2019 (MoreMNAS), table 1; the output decides, whatever the scale.
    small = cost(srcnn.build(scale, 1, kernels=[9, 5, 5], filters=[64, 32]))
    large = cost(vdsr.build(scale, 1, depth=20, width=64))
    assert small.parameters == 57281
    assert large.parameters == 665921
    assert small.multiply_adds * GIGA_720P == pytest.approx(52.7, abs=0.05)
    assert large.multiply_adds * GIGA_720P == pytest.approx(612.6, abs=0.05)


def test_of_a_small_image_the_border_that_a_network_extends_counts_too():
    model = srcnn.build(1, 1, kernels=[9, 5, 5], filters=[64, 32])
    by_hand = 48**2 * 81 * 64 + 44**2 * 25 * 64 * 32 + 40**2 * 25 * 32
    assert cost(model, side=40).multiply_adds * 40**2 / 1e6 == pytest.approx(by_hand)


def test_the_hybrid_costs_no_more_than_srcnn_where_it_enlarges():
    small = cost(srcnn.build(2, 1, kernels=[9, 5, 5], filters=[64, 32])).multiply_adds
    # 5*5*64 + 64*48 + 10*9*48*48 + 6*6*48 for each low-resolution pixel, of which four restored ones have one.
    assert cost(hybrid.build(2, 1)).multiply_adds == 213_760 / 4 * 1e6 < small
    assert cost(hybrid.build(4, 1)).multiply_adds < small / 4


def test_parameters_are_counted_in_one_way_and_without_fixed_numbers():
    network = rlfn.build(2, 1)
    assert parameters(network) == cost(network).parameters == 522_168 < network.count_params()
    code = {path: ast.parse(path.read_text()) for path in Path(srexp.__file__).parent.rglob("*.py")}
    called = {
        str(path)
        for path, tree in code.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "count_params"
    }
    assert not called


def test_interpolation_is_not_counted():
    assert cost(bicubic.build(2, 1)) == cost(bicubic.build(4, 3))
    assert (cost(bicubic.build(2, 1)).parameters, cost(bicubic.build(2, 1)).multiply_adds) == (0, 0)


def test_low_resolution_layers_cost_less():
    low = keras.Input((None, None, 1))
    features = keras.layers.Conv2D(8, 3, padding="same")(low)  # 72 for each input pixel, 18 for each output pixel
    restored = keras.layers.Conv2DTranspose(1, 4, strides=2, padding="same")(features)  # 128 for each input pixel
    assert cost(keras.Model(low, restored)).multiply_adds == pytest.approx((72 + 128) / 4 * 1e6)


def test_shared_and_nested_layers_count_each_time():
    low = keras.Input((None, None, 4))
    layer = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)
    inner = keras.Sequential([keras.Input((None, None, 4)), keras.layers.SeparableConv2D(4, 3, padding="same")])
    model = keras.Model(low, inner(layer(layer(low))))
    assert cost(model).multiply_adds == pytest.approx((2 * 144 + 36 + 16) * 1e6)


def test_unknown_work_is_no_number():
    low = keras.Input((None, None, 4))
    model = keras.Model(low, keras.layers.Dense(4)(low))
    assert cost(model).multiply_adds is None
    assert cost(model).parameters == 20
