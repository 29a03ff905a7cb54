"""Channel attention: each feature is weighed by what it is in the whole image.

So a network with one looks at the whole image: a tile of it would get other weights.
"""

from srexp.lazy_imports import keras


def mean(features: "keras.KerasTensor", *, name: str) -> "keras.KerasTensor":
    """Give the mean of each feature over the image.

    Args:
        features: (n, h, w, f), symbolic.
        name: Name of the layer.

    Returns:
        (n, 1, 1, f), symbolic, float32: sums of a whole image need more than bfloat16's 8 bits.
    """
    return keras.layers.GlobalAveragePooling2D(keepdims=True, dtype="float32", name=name)(features)


def mean_and_deviation(features: "keras.KerasTensor", *, name: str) -> "keras.KerasTensor":
    """Give the mean of each feature and its standard deviation over the image, added: contrast.

    Z. Hui et al.: Lightweight image super-resolution with information multi-distillation network. ACM MM 2019,
    https://arxiv.org/abs/1909.11856, section 3.3.

    Args:
        features: (n, h, w, f), symbolic.
        name: Name of the sum; others add to it.

    Returns:
        (n, 1, 1, f), symbolic, float32.
    """
    average = mean(features, name=f"{name}_mean")
    # From the centred features: the mean of squares less the square of the mean is a small difference of large numbers.
    centred = keras.layers.Subtract(dtype="float32", name=f"{name}_centred")([features, average])
    squares = keras.layers.Multiply(dtype="float32", name=f"{name}_squares")([centred, centred])
    # At a variance of 0 the root has no slope.
    variance = keras.layers.Rescaling(1, offset=1e-6, dtype="float32", name=f"{name}_variance")(
        mean(squares, name=f"{name}_mean_square")
    )
    return keras.layers.Add(dtype="float32", name=name)([average, keras.ops.sqrt(variance)])


def mean_detail(features: "keras.KerasTensor", *, name: str) -> "keras.KerasTensor":
    """Give the mean difference, sign apart, of each feature from its 3 x 3 surroundings.

    Args:
        features: (n, h, w, f), symbolic.
        name: Name of the layer; others add to it.

    Returns:
        (n, 1, 1, f), symbolic, float32.
    """
    smooth = keras.layers.AveragePooling2D(3, strides=1, padding="same", name=f"{name}_smooth")(features)
    detail = keras.layers.Subtract(name=f"{name}_detail")([features, smooth])
    opposite = keras.layers.Rescaling(-1, name=f"{name}_opposite")(detail)
    return mean(keras.layers.Maximum(name=f"{name}_size")([detail, opposite]), name=name)


def weigh(
    features: "keras.KerasTensor",
    statistic: "keras.KerasTensor",
    hidden: int,
    *,
    name: str,
    layers: tuple[str, str] = ("_squeeze", "_excite"),
    neutral: bool = False,
) -> "keras.KerasTensor":
    """Multiply each feature by a factor that two layers make of a statistic of all: squeeze and excitation.

    J. Hu et al.: Squeeze-and-excitation networks. CVPR 2018, https://arxiv.org/abs/1709.01507

    Args:
        features: (n, h, w, f), symbolic.
        statistic: (n, 1, 1, f), symbolic.
        hidden: Features between the two layers.
        name: Name of the product.
        layers: What the two layers add to it.
        neutral: Factors from 0 to 2 that are 1 at first, instead of from 0 to 1.

    Returns:
        (n, h, w, f), symbolic.
    """
    first, second = (f"{name}{layer}" for layer in layers)
    squeeze = keras.layers.Conv2D(hidden, 1, activation="relu", kernel_initializer="he_normal", name=first)
    squeezed = squeeze(statistic)
    # Pairs of opposite sign: of few units with ReLU, all might see only what they cut off, and would learn nothing.
    kernel, bias = squeeze.get_weights()
    kernel[..., hidden // 2 : hidden // 2 * 2] = -kernel[..., : hidden // 2]
    squeeze.set_weights([kernel, bias])
    initial = "zeros" if neutral else "glorot_uniform"
    factors = keras.layers.Conv2D(features.shape[-1], 1, activation="sigmoid", kernel_initializer=initial, name=second)(
        squeezed
    )
    if neutral:
        factors = keras.layers.Rescaling(2, name=f"{name}_double")(factors)
    return keras.layers.Multiply(name=name)([features, factors])


def contrast_attention(features: "keras.KerasTensor", reduction: int, *, name: str) -> "keras.KerasTensor":
    """Weigh features by their contrast, with the layers and names of its authors' code: `conv_du.0`, `conv_du.2`.

    Z. Hui et al., as in `mean_and_deviation`.

    Args:
        features: (n, h, w, f), symbolic.
        reduction: How many times fewer features there are between the two 1 x 1 layers; at least two are left.
        name: Path of the module.

    Returns:
        (n, h, w, f), symbolic.
    """
    contrast = mean_and_deviation(features, name=f"{name}.contrast")
    hidden = max(2, features.shape[-1] // reduction)  # one alone might see only what ReLU cuts off
    return weigh(features, contrast, hidden, name=name, layers=(".conv_du.0", ".conv_du.2"))
