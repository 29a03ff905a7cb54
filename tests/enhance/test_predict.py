"""A model in tiles gives what it gives on the whole image."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from srexp.enhance.predict import batch_predictor, predictor, strip_predictor, whole_bytes
from srexp.enhance.receptive_field import receptive_field
from srexp.enhance.tiling import windows
from srexp.errors import RequestError
from srexp.models import srcnn
from tests.networks import MODELS, built, first_quick, narrow, thin

#: Networks that look at the whole image, and are given it; docs/results/networks.md names them.
WHOLE = {"edsr_se", "imdn", "multiband", "rfdn", "rirca", "rlfn"}
TINY_MB = 0.001  # less than any tile takes, so that the smallest tiles are used


def network(scale, channels=1, seed=0):
    """Convolutions with biases, so that zero padding at an edge makes a difference, on a bicubic enlargement."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((None, None, channels))
    enlarged = layers.UpSampling2D(scale, interpolation="bicubic")(image) if scale > 1 else image
    features = layers.Conv2D(4, 5, padding="same", activation="relu", bias_initializer="random_normal")(enlarged)
    features = layers.Conv2D(4, 3, padding="same", dilation_rate=2, bias_initializer="random_normal")(features)
    residual = layers.Conv2D(channels, 3, padding="same", bias_initializer="ones")(features)
    return keras.Model(image, layers.Add()([enlarged, residual]))


def picture(height, width, channels=1):
    return np.random.default_rng(height * 1000 + width).random((height, width, channels), dtype=np.float32)


NETWORKS = {scale: network(scale) for scale in (1, 2, 3, 4)}


@pytest.fixture(scope="module")
def in_tiles():
    """A predictor in tiles for the network of each scale."""
    return {scale: predictor(model, scale, memory_mb=TINY_MB) for scale, model in NETWORKS.items()}


@pytest.mark.parametrize("scale", NETWORKS)
@pytest.mark.parametrize("size", [(1, 1), (5, 90), (37, 41), (64, 64), (101, 67)])
def test_tiled_equals_whole(scale, size, in_tiles):
    low = picture(*size)
    whole = np.asarray(NETWORKS[scale](low[np.newaxis]))[0]
    tiled = in_tiles[scale](low)
    assert tiled.shape == (size[0] * scale, size[1] * scale, 1)
    assert tiled.dtype == np.float32
    assert np.abs(tiled - whole).max() <= 1e-5


def test_several_tiles_were_compared():
    model = network(2)
    assert 2 * (2 * receptive_field(model).radius + 16) < 101


def test_a_halo_one_pixel_narrower_is_seen(monkeypatch):
    # Without this, the comparison above might pass because it compares nothing.
    model, low = network(1), picture(101, 67)
    whole = np.asarray(model(low[np.newaxis]))[0]
    sees = receptive_field(model)
    monkeypatch.setattr(
        "srexp.enhance.predict.receptive_field", lambda _: type(sees)(sees.radius - 1, sees.scale, sees.bytes_per_pixel)
    )
    assert np.abs(predictor(model, 1, memory_mb=TINY_MB)(low) - whole).max() > 1e-3


@pytest.mark.parametrize("mode", ["symmetric", "reflect", "constant"])
def test_padding_of_other_kinds_equals_whole(mode):
    keras.utils.set_random_seed(1)
    image = keras.Input((None, None, 1))
    padded = layers.UpSampling2D(2, interpolation="bicubic")(image)
    padded = keras.ops.pad(padded, ((0, 0), (6, 6), (6, 6), (0, 0)), mode=mode)
    for kernel in (7, 5, 3):
        padded = layers.Conv2D(3, kernel, bias_initializer="random_normal")(padded)
    model, low = keras.Model(image, padded), picture(101, 67)
    whole = np.asarray(model(low[np.newaxis]))[0]
    assert receptive_field(model).radius == 5
    assert np.abs(predictor(model, 2, memory_mb=TINY_MB)(low) - whole).max() <= 1e-5


@pytest.mark.parametrize("size", [(33, 90), (120, 61)])
def test_colour(size):
    model, low = network(2, channels=3), picture(*size, channels=3)
    whole = np.asarray(model(low[np.newaxis]))[0]
    assert np.abs(predictor(model, 2, memory_mb=TINY_MB)(low) - whole).max() <= 1e-5


@pytest.mark.one_in(6)
@pytest.mark.parametrize(("scale", "depth"), first_quick([(2, "thin"), (3, "deep")]), ids=["thin", "deep-3"])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_in_tiles_equals_the_whole(name, scale, depth):
    keras.utils.set_random_seed(scale)
    model = built(name, scale, 1, **(thin if depth == "thin" else narrow)(name))
    for weight in model.trainable_weights:  # trained, as it were: no weight is zero, no bias hides what padding does
        weight.assign_add(np.random.default_rng(3).normal(0, 0.01, weight.shape))
    sees, whole = receptive_field(model), batch_predictor(model)
    if name in WHOLE:
        assert sees is None
        low = picture(24, 30)
        assert np.array_equal(predictor(model, scale, restore=whole)(low), whole(low[np.newaxis])[0])
        with pytest.raises(RequestError, match="can't be restored in tiles, and 24 x 30 pixels"):
            predictor(model, scale, memory_mb=TINY_MB)(low)
        return
    assert sees is not None
    least = 2 * sees.radius + max(2 * sees.radius, 16)
    low = picture(least // 2 + 3, 2 * least + 5)  # a tile is smaller in one direction only, and divides none
    assert len(windows(low.shape[1], least, sees.radius)) >= 3
    in_tiles = predictor(model, scale, memory_mb=TINY_MB, restore=whole)  # one graph serves all shapes
    for image in (low, low.swapaxes(0, 1)):
        expected = whole(image[np.newaxis])[0]
        assert np.abs(in_tiles(image) - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


@given(st.integers(1, 4), st.tuples(st.integers(1, 70), st.integers(1, 70)), st.floats(0.001, 0.2))
@settings(max_examples=12)
def test_any_size_and_any_memory_give_the_whole(scale, size, memory_mb):
    model, low = NETWORKS[scale], picture(*size)
    whole = batch_predictor(model)(low[np.newaxis])[0]
    assert np.abs(predictor(model, scale, memory_mb=memory_mb)(low) - whole).max() <= 1e-5


def test_strips_come_from_top_to_bottom():
    model, low = network(2), picture(101, 67)
    strips = list(strip_predictor(model, 2, memory_mb=TINY_MB)(low))
    assert len(strips) > 2
    assert np.array_equal(np.concatenate(strips), predictor(model, 2, memory_mb=TINY_MB)(low))


def test_tiles_can_be_smaller_than_memory_allows():
    seen, told, model = [], [], batch_predictor(NETWORKS[2])
    low = picture(101, 67)
    restore = lambda batch: seen.append(batch.shape) or model(batch)  # noqa: E731
    strips = strip_predictor(NETWORKS[2], 2, 1024, restore=restore, tile_pixels=4 * 40 * 40, on_tiles=told.append)
    assert np.abs(np.concatenate(list(strips(low))) - NETWORKS[2](low[np.newaxis])[0]).max() <= 1e-5
    assert told == [len(seen)] != [1]
    assert {height * width <= 40 * 40 for _, height, width, _ in seen} == {True}


def test_whole_image_when_there_is_memory():
    model, low = network(2), picture(50, 60)
    assert np.array_equal(predictor(model, 2)(low), batch_predictor(model)(low[np.newaxis])[0])


def test_a_model_that_sees_everything_is_not_tiled():
    image = keras.Input((None, None, 1))
    brightness = layers.GlobalAveragePooling2D(keepdims=True)(image)
    model, low = keras.Model(image, layers.Subtract()([image, brightness])), picture(80, 80)
    assert predictor(model, 1, memory_mb=1)(low) == pytest.approx(low - low.mean(), abs=1e-6)


def test_a_model_that_sees_everything_is_refused_what_memory_cannot_hold():
    image = keras.Input((None, None, 1))
    rows = layers.Reshape((-1, 1))(image)
    weights = layers.Softmax()(keras.ops.matmul(rows, keras.ops.transpose(rows, (0, 2, 1))))
    looked_up = layers.GlobalAveragePooling1D()(keras.ops.matmul(weights, rows))
    model = keras.Model(image, layers.Subtract()([image, layers.Reshape((1, 1, 1))(looked_up)]))  # (h w)^2 weights
    assert whole_bytes(model, (40, 50, 1)) >= 2 * 4 * 2000**2
    assert predictor(model, 1, memory_mb=40)(picture(40, 50)).shape == (40, 50, 1)
    with pytest.raises(RequestError, match=r"can't be restored in tiles, and 40 x 50 pixels need [34]\d MiB"):
        predictor(model, 1, memory_mb=10)(picture(40, 50))


def test_one_graph_serves_all_sizes():
    calls = []

    class Counted(layers.Layer):
        def call(self, inputs):
            if inputs.shape[1] is None:  # otherwise the size is asked how much memory it would take
                calls.append(inputs.shape)  # runs when a graph is traced, not when it is used
            return inputs

    image = keras.Input((None, None, 1))
    model = keras.Model(image, layers.UpSampling2D(2, interpolation="bicubic")(Counted()(image)))
    predict, traced = predictor(model, 2), len(calls)
    for size in (5, 8, 13):
        assert predict(picture(size, size + 1)).shape == (2 * size, 2 * size + 2, 1)
    assert len(calls) == traced + 1


def test_later_weights_are_used():
    model, low = network(1), picture(20, 20)
    predict = predictor(model, 1)
    before = predict(low)
    model.layers[-2].set_weights([weights * 0 for weights in model.layers[-2].get_weights()])
    assert not np.allclose(predict(low), before)
    assert np.array_equal(predict(low), low)


def test_mixed_precision_comes_out_as_float32():
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model = srcnn.build(2, 1, kernels=[9, 5, 5], filters=[8, 4])
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    low = picture(75, 96)
    tiled = predictor(model, 2, memory_mb=TINY_MB)(low)
    assert tiled.dtype == np.float32
    assert tiled == pytest.approx(np.asarray(model(low[np.newaxis]))[0], abs=0.01)


def test_batches():
    model = network(2)
    batch = np.stack([picture(12, 9), picture(12, 9) / 2])
    restored = batch_predictor(model)(batch)
    assert restored.shape == (2, 24, 18, 1)
    assert restored == pytest.approx(np.asarray(model(batch)), abs=1e-6)


def test_integers_and_float64_are_taken_as_float32():
    model = network(1)
    assert batch_predictor(model)(np.ones((1, 8, 8, 1), np.float64)).dtype == np.float32


def test_refuses_another_scale():
    with pytest.raises(RequestError, match="enlarges 2 times"):
        predictor(network(2), 3)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3), (0, 8, 1), (1, 8, 8, 1)])
def test_refuses_an_image_of_another_kind(shape):
    with pytest.raises(RequestError, match=r"\(h, w, 1\)"):
        predictor(network(2), 2)(np.zeros(shape, np.float32))
