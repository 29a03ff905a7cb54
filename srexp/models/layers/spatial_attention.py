"""Spatial attention: each pixel is weighed by its surroundings at a sixth of the resolution.

That grid lies on the whole image: a tile of it would have another one, so a network with it is never tiled.
"""

from srexp.lazy_imports import keras
from srexp.models.layers.bilinear import resize_to
from srexp.models.layers.convolution import convolve


def spatial_attention(
    features: "keras.KerasTensor", width: int, *, inner: tuple[str, ...], name: str
) -> "keras.KerasTensor":
    """Weigh every pixel of every feature by what a sixth of the resolution says of its surroundings.

    J. Liu, W. Zhang, Y. Tang, J. Tang, G. Wu: Residual feature aggregation network for image super-resolution. CVPR
    2020, section 3.3. Exact where both sides have 15 pixels or more. A smaller image has no pixel after the strided
    steps: it is taken as if zeros continued it to that.

    Args:
        features: (n, h, w, a), symbolic.
        width: Features within.
        inner: Names of the 3 x 3 layers at the low resolution, with ReLU between.
        name: Path of the module.

    Returns:
        (n, h, w, a), symbolic.
    """
    reduced = convolve(features, width, 1, name=f"{name}.conv1")
    skipped = convolve(reduced, width, 1, name=f"{name}.conv_f")
    # 18 pixels below and right are exactly 3 more after the strided steps, which are cut off: all but the first, so
    # that an image of any size has one.
    beyond = keras.ops.pad(reduced, ((0, 0), (0, 18), (0, 18), (0, 0)))
    strided = convolve(beyond, width, strides=2, padding="valid", name=f"{name}.conv2")
    small = keras.layers.MaxPooling2D(7, 3, name=f"{name}.max")(strided)
    small = keras.layers.Concatenate(1, name=f"{name}.rows")([small[:, :1], small[:, 1:-3]])
    small = keras.layers.Concatenate(2, name=f"{name}.columns")([small[:, :, :1], small[:, :, 1:-3]])
    for layer in inner:
        activation = None if layer == inner[-1] else "relu"
        small = convolve(small, width, activation=activation, name=f"{name}.{layer}")
    around = resize_to(small, skipped, name=f"{name}.resize")
    gate = convolve(
        keras.layers.Add(name=f"{name}.around")([around, skipped]),
        features.shape[-1],
        1,
        activation="sigmoid",
        name=f"{name}.conv4",
    )
    return keras.layers.Multiply(name=name)([features, gate])
