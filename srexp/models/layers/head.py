"""The first convolution of a network that adds detail to an enlargement."""

import numpy as np

from srexp.lazy_imports import keras
from srexp.models.initializers import detail_filters
from srexp.models.layers.borders import repeat_border


def head(
    image: "keras.KerasTensor", width: int, kernel: int, *, name: str, activation: str | None = None
) -> "keras.KerasTensor":
    """Extract features from an image whose outermost pixels are repeated; at first its detail and no brightness.

    Args:
        image: (n, h, w, c), symbolic.
        width: Filters.
        kernel: Side of the kernel, odd, 3 or more: one pixel alone has no detail.
        name: Name of the layer.
        activation: Of the layer, as Keras names it; none where there is none.

    Returns:
        (n, h, w, width), symbolic.
    """
    extract = keras.layers.Conv2D(width, kernel, activation=activation, name=name)
    features = extract(repeat_border(image, kernel // 2))
    weights, bias = extract.get_weights()
    extract.set_weights([detail_filters(np.asarray(keras.initializers.RandomNormal()(weights.shape))), bias])
    return features
