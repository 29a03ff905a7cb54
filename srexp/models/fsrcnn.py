"""FSRCNN: thin 3 x 3 convolutions between two 1 x 1, on the low-resolution image, and a transposed convolution.

C. Dong, C. C. Loy, X. Tang: Accelerating the super-resolution convolutional neural network. ECCV 2016,
https://arxiv.org/abs/1608.00367
"""

from srexp.errors import RequestError, checked_by
from srexp.lazy_imports import keras
from srexp.models.sizes import positive

#: Side of the last kernel, and the pixels of its output that lie before the image.
_LAST, _BEFORE = 9, 4


def check_size(scale: int, channels: int, wide: int, width: int, blocks: int) -> None:
    """Refuse what can't be built.

    Args:
        scale: How many times larger the restored image is.
        channels: Of the image.
        wide: Features of the first layer.
        width: Features of the layers between.
        blocks: Number of these.

    Raises:
        RequestError: A size is too small, or the last kernel leaves gaps.
    """
    positive("wide", "width", "blocks")(scale=scale, channels=channels, wide=wide, width=width, blocks=blocks)
    if scale > _LAST - _BEFORE:
        raise RequestError(
            "scale is too large for model=fsrcnn, whose last kernel would leave gaps", got=scale, expected="5 or less"
        )


@checked_by(check_size)
def build(
    scale: int,
    channels: int,
    *,
    wide: int = 56,
    width: int = 12,
    blocks: int = 4,
    name: str = "fsrcnn",
) -> "keras.Model":
    """Build FSRCNN(d, s, m): features, shrinking, mapping, expanding and deconvolution (section 3.2).

    PReLU has a slope for each feature, zeros lie around the image and the features. Layers have the names of those of
    https://github.com/ECNUSR/ETDS, whose weights `adopt` takes. Of the deconvolution's output four pixels are cut off
    before the image and `5 - scale` behind it, as in PyTorch: that is half a pixel to the other side of what Keras
    would cut off.

    Args:
        scale: How many times larger the restored image is, 5 at most.
        channels: 1 (grey) or 3 (colour).
        wide: d, features of the 5 x 5 layer and before the deconvolution.
        width: s, features of the layers between.
        blocks: m, 3 x 3 layers between.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 12,809 weights for FSRCNN(56, 12, 4) and
        one channel at every scale: 12,464 of kernels as in the paper, 173 biases and 172 slopes.

    Raises:
        RequestError: A size is too small, or the scale too large.

    Example:
        >>> build(scale=3, channels=1).count_params()
        12809
    """
    spread = keras.initializers.VarianceScaling(2, "fan_out", "untruncated_normal")

    def convolve(features: "keras.KerasTensor", filters: int, kernel: int, layer: str) -> "keras.KerasTensor":
        part, number = layer.split(".")
        kernels = spread.clone()
        features = keras.layers.Conv2D(filters, kernel, padding="same", kernel_initializer=kernels, name=layer)(
            features
        )
        slope = keras.initializers.Constant(0.25)
        after = f"{part}.{int(number) + 1}"
        return keras.layers.PReLU(alpha_initializer=slope, shared_axes=[1, 2], name=after)(features)

    low = keras.Input((None, None, channels), dtype="float32", name="low")
    features = convolve(low, wide, 5, "first_part.0")
    features = convolve(features, width, 1, "mid_part.0")
    for number in range(1, blocks + 1):
        features = convolve(features, width, 3, f"mid_part.{2 * number}")
    features = convolve(features, wide, 1, f"mid_part.{2 * blocks + 2}")
    # float32: an image comes out of it.
    enlarge = keras.layers.Conv2DTranspose(
        channels,
        _LAST,
        scale,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
        dtype="float32",
        name="last_part",
    )
    cut = (_BEFORE, _LAST - _BEFORE - scale)
    restored = keras.layers.Cropping2D((cut, cut), dtype="float32", name="restored")(enlarge(features))
    return keras.Model(low, restored, name=name)
