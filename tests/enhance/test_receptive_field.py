"""How far models see, against a probe that shows it: one pixel that is not a number poisons all that depend on it."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from srexp.enhance import receptive_field as receptive
from srexp.enhance.receptive_field import receptive_field
from srexp.models import hybrid


def functional(*stack, channels=1):
    image = keras.Input((None, None, channels))
    tensor = image
    for layer in stack:
        tensor = layer(tensor)
    return keras.Model(image, tensor)


def seen_by_probe(model, scale):
    """Low-resolution pixels to each side, along either axis, over which one input pixel spreads."""
    size, centre = 61, 30
    low = np.zeros((1, size, size, model.input_shape[-1]), np.float32)
    low[0, centre, centre] = np.nan
    poisoned = np.isnan(np.asarray(model(low))).any(axis=-1)[0]
    touched = np.argwhere(poisoned) // scale
    return np.abs(touched - centre).max()


def conv(kernel, filters=2, **options):
    return layers.Conv2D(filters, kernel, padding="same", kernel_initializer="ones", **options)


def pad(margin, mode="symmetric"):
    return lambda image: keras.ops.pad(image, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode=mode)


STACKS = {
    "one_by_one": ([conv(1)], 1, 0),
    "three": ([conv(3), conv(3)], 1, 2),
    "even": ([conv(4)], 1, 2),
    "oblong": ([conv((3, 7))], 1, 3),
    "dilated": ([conv(3, dilation_rate=4)], 1, 4),
    "bicubic": ([layers.UpSampling2D(2, interpolation="bicubic")], 2, 2),
    "nearest": ([layers.UpSampling2D(3, interpolation="nearest")], 3, 1),
    "bilinear": ([layers.UpSampling2D(3, interpolation="bilinear")], 3, 1),
    "lanczos": ([layers.UpSampling2D(2, interpolation="lanczos3")], 2, 4),
    "lanczos_of_five": ([layers.UpSampling2D(2, interpolation="lanczos5")], 2, 6),
    "srcnn_x2": ([layers.UpSampling2D(2, interpolation="bicubic"), conv(9), conv(5), conv(5)], 2, 6),
    "srcnn_x3": ([layers.UpSampling2D(3, interpolation="bicubic"), conv(9), conv(5), conv(5)], 3, 5),
    "late": ([conv(5), layers.UpSampling2D(4, interpolation="bicubic"), conv(3)], 4, 5),
    "twice": ([layers.UpSampling2D(2, interpolation="bicubic"), layers.UpSampling2D(2, interpolation="bicubic")], 4, 3),
    "transposed": ([layers.Conv2DTranspose(2, 4, strides=2, padding="same", kernel_initializer="ones")], 2, 1),
    "transposed_wide": ([layers.Conv2DTranspose(2, 9, strides=3, padding="same", kernel_initializer="ones")], 3, 1),
    "transposed_and_cut": (
        [layers.Conv2DTranspose(2, 5, strides=2, kernel_initializer="ones"), layers.Cropping2D(((2, 1), (2, 1)))],
        2,
        1,
    ),
    "transposed_wide_and_cut": (
        [layers.Conv2DTranspose(2, 9, strides=3, kernel_initializer="ones"), layers.Cropping2D(((4, 2), (4, 2)))],
        3,
        2,
    ),
    "transposed_small": ([layers.Conv2DTranspose(2, 2, strides=3, kernel_initializer="ones")], 3, 0),
    "padded_and_cut": ([pad(3), conv(3), layers.Cropping2D(3)], 1, 1),
    "activated": ([conv(3, activation=layers.LeakyReLU()), conv(3, activation="relu")], 1, 2),
    "depthwise": ([layers.DepthwiseConv2D(5, padding="same", depthwise_initializer="ones")], 1, 2),
    "separable": ([layers.SeparableConv2D(2, 5, padding="same", depthwise_initializer="ones")], 1, 2),
    "divided": ([layers.UpSampling2D(3, interpolation="bicubic"), conv(3, strides=3), conv(3)], 1, 3),
    "half_divided": ([layers.UpSampling2D(4, interpolation="bicubic"), conv(2, strides=2), conv(3)], 2, 3),
    "padded": ([pad(1), pad(2), layers.Conv2D(2, 7, kernel_initializer="ones")], 1, 3),
    "padded_x2": (
        [layers.UpSampling2D(2, interpolation="bicubic"), pad(4), *[layers.Conv2D(2, 5) for _ in range(2)]],
        2,
        4,
    ),
    "padded_early": ([pad(1), layers.UpSampling2D(2, interpolation="bicubic"), layers.Conv2D(2, 5), conv(3)], 2, 4),
    "pointwise": (
        [
            layers.Rescaling(2.0, offset=-0.5),
            layers.PReLU(shared_axes=[1, 2]),
            layers.BatchNormalization(),
            layers.BatchNormalization(axis=3),
            layers.LayerNormalization(),
            layers.LayerNormalization(axis=[3]),
            layers.ELU(),
            layers.LeakyReLU(),
            layers.ReLU(),
            layers.Identity(),
            layers.Dropout(0.5),
            layers.SpatialDropout2D(0.5),
            layers.GaussianDropout(0.5),
            layers.GaussianNoise(0.5),
            layers.Activation("tanh"),
        ],
        1,
        0,
    ),
}


@pytest.mark.parametrize("name", STACKS)
def test_radius_and_scale(name):
    stack, scale, radius = STACKS[name]
    found = receptive_field(functional(*stack))
    assert (found.scale, found.radius) == (scale, radius)


@pytest.mark.parametrize("name", STACKS)
def test_no_pixel_sees_further_than_the_radius(name):
    stack, scale, radius = STACKS[name]
    seen = seen_by_probe(functional(*stack), scale)
    assert seen <= radius
    assert seen >= radius - 1  # nor is the halo much wider than needed


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_a_transposed_convolution_sees_as_far_as_its_taps_reach(padding, stride):
    for size in range(1, 10):
        rest = max(size - stride, 0)
        ahead = min(size // 2, rest)  # where PyTorch would cut
        cut = [layers.Cropping2D(((ahead, rest - ahead),) * 2)] if padding == "valid" else []
        ones = layers.Conv2DTranspose(1, size, strides=stride, padding=padding, kernel_initializer="ones")
        model = functional(ones, *cut)
        assert receptive_field(model).radius == seen_by_probe(model, stride), size


def test_what_is_enlarged_already_counts_in_pixels_of_the_input():
    twice = [layers.Conv2DTranspose(1, size, 2, padding="same", kernel_initializer="ones") for size in (2, 9)]
    model = functional(*twice)
    assert receptive_field(model).radius == seen_by_probe(model, 4) == 1


def test_longest_branch_counts():
    image = keras.Input((None, None, 3))
    narrow, wide = conv(3)(image), conv(5)(conv(5)(image))
    both = layers.Concatenate()([layers.Add()([narrow, wide]), narrow])
    found = receptive_field(keras.Model(image, both))
    assert (found.radius, found.scale) == (4, 1)


def test_nested_and_repeated_models_are_followed():
    block = keras.Sequential([keras.Input((None, None, 2)), conv(3), conv(3)])
    inner = functional(conv(3), block, block, layers.UpSampling2D(2, interpolation="bicubic"))
    outer = functional(conv(3), inner, conv(3), channels=1)
    inner_alone = functional(conv(3, filters=1), inner)
    assert receptive_field(inner_alone).radius == 1 + 1 + 2 + 2 + 2
    with pytest.raises(ValueError, match="incompatible"):
        outer(np.zeros((1, 8, 8, 3)))


def test_sequential_models_are_followed():
    model = keras.Sequential([keras.Input((None, None, 1)), conv(3), layers.UpSampling2D(2, interpolation="bicubic")])
    assert (receptive_field(model).radius, receptive_field(model).scale) == (3, 2)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_hybrid_sees_no_further_than_its_radius(scale, randomised):
    network = randomised(hybrid.build(scale, 1, wide=8, width=6, blocks=2))
    found = receptive_field(network)
    assert found.scale == scale
    assert 2 + 4 + 1 <= seen_by_probe(network, scale) <= found.radius <= 2 + 4 + 1


def test_widest_layer_sets_the_memory():
    # After enlargement by 2: input 64 and output 32 channels, four pixels per low pixel, four bytes each.
    model = functional(layers.UpSampling2D(2, interpolation="bicubic"), conv(9, 64), conv(5, 32), conv(5, 1))
    assert receptive_field(model).bytes_per_pixel == (64 + 32) * 4 * 4


@pytest.mark.parametrize(
    ("model", "held"),
    [
        (lambda: functional(conv(3, 5), conv(1, 3)), (5 + 3) * 4),
        (lambda: functional(conv(3, 2), lambda x: layers.Concatenate(axis=3)([x, x, x])), (2 * 3 + 6) * 4),
        (lambda: functional(layers.Conv2DTranspose(7, 2, strides=2, padding="same"), channels=3), (3 + 7 * 4) * 4),
        (lambda: functional(functional(conv(1, 9)), channels=1), (1 + 9) * 4),
    ],
)
def test_what_a_layer_takes_and_gives_is_held_at_once(model, held):
    assert receptive_field(model()).bytes_per_pixel == held


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_padding_that_looks_no_further_than_it_pads_is_followed(mode):
    assert receptive._padding(((0, 0), (2, 3), (2, 3), (0, 0)), mode) == (2, 3)
    for widths in (
        ((1, 0), (2, 3), (2, 3), (0, 0)),
        ((0, 0), (2, 3), (2, 3), (0, 1)),
        ((0, 0), (2, 3), (3, 2), (0, 0)),
    ):
        with pytest.raises(receptive._SeesEverythingError):
            receptive._padding(widths, mode)
    with pytest.raises(receptive._SeesEverythingError):
        receptive._padding(((0, 0), (2, 3), (2, 3), (0, 0)), "wrap")


@pytest.mark.parametrize(("side", "plain"), [("channels_last", True), ("channels_first", False)])
def test_only_channels_last_is_followed(side, plain):
    assert receptive._is_plain(SimpleNamespace(data_format=side, activation=None)) is plain
    own = SimpleNamespace(data_format=side, activation=whole_image)
    assert not receptive._is_plain(own)


class Shift(layers.Layer):
    def call(self, inputs):
        return keras.ops.roll(inputs, 100, axis=1)


class SubclassedModel(keras.Model):
    def call(self, inputs):
        return inputs


def whole_image(x):
    return x - keras.ops.mean(x, axis=(1, 2), keepdims=True)


def two_outputs():
    image = keras.Input((None, None, 1))
    return keras.Model(image, [conv(3)(image), conv(5)(image)])


UNKNOWN = {
    "custom_layer": lambda: functional(Shift()),
    "lambda": lambda: functional(layers.Lambda(whole_image)),
    "own_activation": lambda: functional(conv(3, activation=whole_image)),
    "own_activation_layer": lambda: functional(layers.Activation(whole_image)),
    "stride": lambda: functional(conv(3, strides=2)),
    "stride_beyond_enlargement": lambda: functional(layers.UpSampling2D(2), conv(4, strides=4)),
    "overlapping_squares": lambda: functional(layers.UpSampling2D(2), conv(3, strides=2)),
    "padded_squares": lambda: functional(layers.UpSampling2D(2), pad(1), conv(2, strides=2)),
    "pooling": lambda: functional(layers.MaxPooling2D()),
    "valid_padding": lambda: functional(layers.Conv2D(2, 3)),
    "global_pooling": lambda: functional(layers.GlobalAveragePooling2D(keepdims=True)),
    "group_normalisation": lambda: functional(layers.GroupNormalization(1)),
    "padding_left": lambda: functional(pad(1)),
    "more_cut_than_padded": lambda: functional(pad(1), layers.Conv2D(2, 5), pad(1)),
    "even_kernel_cut": lambda: functional(pad(1), layers.Conv2D(2, 2)),
    "oblong_kernel_cut": lambda: functional(pad(1), layers.Conv2D(2, (3, 1))),
    "channels_padded": lambda: functional(lambda x: keras.ops.pad(x, ((0, 0), (0, 0), (0, 0), (1, 1)))),
    "one_side_padded": lambda: functional(lambda x: keras.ops.pad(x, ((0, 0), (2, 0), (1, 1), (0, 0))), conv(3)),
    "channels_first": lambda: functional(layers.UpSampling2D(2, data_format="channels_first")),
    "cut_along_channels": lambda: functional(pad(1), layers.Cropping2D(1, data_format="channels_first"), channels=4),
    "cut_otherwise": lambda: functional(pad(2), layers.Cropping2D(((1, 1), (2, 2)))),
    "cut_without_padding": lambda: functional(layers.Cropping2D(1)),
    "cut_behind_alone": lambda: functional(pad(1), layers.Cropping2D(((1, 0), (1, 0)))),
    "transposed_and_left": lambda: functional(layers.Conv2DTranspose(2, 5, strides=2)),
    "transposed_oblong": lambda: functional(layers.Conv2DTranspose(2, 2, strides=(2, 1), padding="same")),
    "transposed_dilated": lambda: functional(layers.Conv2DTranspose(2, 3, dilation_rate=2, padding="same")),
    "transposed_further": lambda: functional(layers.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1)),
    "normalised_along_rows": lambda: functional(layers.LayerNormalization(axis=[1, 3], center=False, scale=False)),
    "padded_and_not": lambda: functional(lambda x: layers.Add()([pad(1)(x), x]), layers.Cropping2D(1)),
    "two_outputs": two_outputs,
    "fixed_height": lambda: keras.Sequential([keras.Input((16, None, 1)), conv(3)]),
    "fixed_width": lambda: keras.Sequential([keras.Input((None, 16, 1)), conv(3)]),
    "oblong_upsampling": lambda: functional(layers.UpSampling2D((2, 1))),
    "own_operation": lambda: functional(whole_image),
    "rows_joined": lambda: functional(lambda x: layers.Concatenate(axis=1)([x, x])),
    "nested": lambda: functional(conv(3, filters=1), functional(Shift())),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_might_see_everything_is_not_followed(name):
    assert receptive_field(UNKNOWN[name]()) is None


def test_a_subclass_of_a_keras_layer_is_not_trusted():
    class Wider(layers.Conv2D):
        def call(self, inputs):
            return whole_image(super().call(inputs))

    assert receptive_field(functional(Wider(2, 3, padding="same"))) is None


def test_subclassed_and_fixed_size_models_are_not_followed():
    assert receptive_field(SubclassedModel()) is None
    image = keras.Input((16, 16, 1))
    assert receptive_field(keras.Model(image, conv(3)(image))) is None


def test_two_inputs_are_not_followed():
    left, right = keras.Input((None, None, 1)), keras.Input((None, None, 1))
    assert receptive_field(keras.Model([left, right], layers.Add()([left, right]))) is None


@pytest.mark.parametrize(
    "join",
    [layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum, layers.Concatenate],
)
def test_what_joins_branches_sees_no_further_than_they(join):
    image = keras.Input((None, None, 1))
    found = receptive_field(keras.Model(image, join()([conv(3)(image), conv(7)(image)])))
    assert (found.radius, found.scale) == (3, 1)
