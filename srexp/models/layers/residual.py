"""The residual block without normalisation."""

from collections.abc import Callable

from srexp.lazy_imports import keras


def residual_block(
    features: "keras.KerasTensor",
    *,
    name: str,
    activate: "Callable[[keras.KerasTensor], keras.KerasTensor] | None" = None,
    ending: "str | keras.initializers.Initializer" = "zeros",
    attend: "Callable[[keras.KerasTensor], keras.KerasTensor] | None" = None,
) -> "keras.KerasTensor":
    """Add two 3 x 3 convolutions with an activation between them to their input.

    B. Lim et al.: Enhanced deep residual networks for single image super-resolution. CVPRW 2017,
    https://arxiv.org/abs/1707.02921, figure 2 (c). Zeros around the features keep the size.

    Args:
        features: (n, h, w, f), symbolic.
        name: Name of the sum; the convolutions add `a` and `b`.
        activate: What stands between the convolutions; ReLU where none is given.
        ending: Initial weights of the second convolution; with zeros the block hands its input through at first.
        attend: What weighs the branch before it is added; nothing where there is none.

    Returns:
        (n, h, w, f), symbolic.
    """
    width = features.shape[-1]
    usual = None if activate else "relu"
    inner = keras.layers.Conv2D(
        width, 3, padding="same", activation=usual, kernel_initializer="he_normal", name=f"{name}a"
    )(features)
    if activate is not None:
        inner = activate(inner)
    inner = keras.layers.Conv2D(width, 3, padding="same", kernel_initializer=ending, name=f"{name}b")(inner)
    if attend is not None:
        inner = attend(inner)
    return keras.layers.Add(name=name)([features, inner])
