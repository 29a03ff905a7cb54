"""Several linear branches that are trained, and the one 3 x 3 convolution that they are afterwards.

Such branches learn better than the convolution that they add up to, and cost more. They are a model within the
network, so that `folded` finds them in any network, also in one that was saved and loaded.

X. Zhang, H. Zeng, L. Zhang: Edge-oriented convolution block for real-time super resolution on mobile devices. ACM
Multimedia 2021, https://doi.org/10.1145/3474085.3475291; X. Ding et al.: RepVGG. CVPR 2021,
https://arxiv.org/abs/2101.03697
"""

from collections.abc import Callable

import numpy as np

from srexp.lazy_imports import keras
from srexp.models.initializers import Weights

#: End of the name of the inner model; what is before it becomes the name of the convolution.
BRANCHES = "_branches"
_SIDE = 3


def branched(
    features: "keras.KerasTensor", branches: "Callable[[keras.KerasTensor], keras.KerasTensor]", *, name: str
) -> "keras.KerasTensor":
    """Put linear branches into a network that one 3 x 3 convolution can take the place of.

    Zeros surround the features before the branches part. Between two layers of a branch they would be wrong: a 1 x 1
    layer with a bias makes of a zero outside the image its bias.

    Args:
        features: (n, h, w, a), symbolic.
        branches: Gives of the features with a border of one pixel, (n, h + 2, w + 2, a), what they become, (n, h, w,
            b): affine, with one 3 x 3 layer without padding on every way.
        name: Name of the convolution that they fold to.

    Returns:
        (n, h, w, b), symbolic.
    """
    image = keras.Input(features.shape[1:], dtype=features.dtype)
    padded = keras.ops.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return keras.Model(image, branches(padded), name=f"{name}{BRANCHES}")(features)


def folded(model: "keras.Model") -> "keras.Model":
    """Give the network with a convolution in the place of all branches; one without branches as it is.

    Args:
        model: Any functional network.

    Returns:
        A network that restores the same to rounding; where something changed, a new one.
    """
    if not any(_is_branched(layer) for layer in model.layers):
        return model

    def plain(layer: "keras.layers.Layer") -> "keras.layers.Layer":
        if _is_branched(layer):
            *_, filters = layer.output_shape
            return keras.layers.Conv2D(filters, _SIDE, padding="same", name=layer.name.removesuffix(BRANCHES))
        return type(layer).from_config(layer.get_config())

    def called(layer: "keras.layers.Layer", *inputs: object, **options: object) -> object:
        options.pop("mask", None)  # models are called with one, convolutions are not
        return layer(*inputs, **options)

    network = keras.models.clone_model(model, clone_function=plain, call_function=called)
    for layer in model.layers:
        target = network.get_layer(layer.name.removesuffix(BRANCHES))
        target.set_weights(sum_of_branches(layer) if _is_branched(layer) else layer.get_weights())
    return network


def sum_of_branches(block: "keras.Model") -> "list[Weights]":
    """Ask branches what they make of single pixels: that is the kernel, and of nothing: that is the bias.

    Args:
        block: The inner model of `branched`.

    Returns:
        Kernel (3, 3, a, b) and bias (b,).
    """
    features = block.input_shape[-1]
    pixels = np.eye(_SIDE * _SIDE * features, dtype=np.float32).reshape(-1, _SIDE, _SIDE, features)
    nothing = np.zeros((1, _SIDE, _SIDE, features), np.float32)
    bias, *kernel = np.asarray(block(np.concatenate([nothing, pixels])))[:, _SIDE // 2, _SIDE // 2]
    return [np.reshape(np.array(kernel) - bias, (_SIDE, _SIDE, features, -1)), bias]


def _is_branched(layer: "keras.layers.Layer") -> bool:
    return str(layer.name).endswith(BRANCHES)
