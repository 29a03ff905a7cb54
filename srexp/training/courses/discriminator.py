"""The network that tells restored patches from real ones, in adversarial training.

After the discriminator of SE-GAN (X. Bing et al., IEEE Access 7, 2019), of which squeeze and excitation is public.
Ours: the shape of SRGAN's (C. Ledig et al. 2017) at half its width, what the candidate adds to bicubic beside it,
spectral normalisation (T. Miyato et al. 2018) in place of that by batches, every number.
"""

from __future__ import annotations

from srexp.lazy_imports import keras
from srexp.training import numerics

_SLOPE, _REDUCTION, _LEVELS = 0.2, 8, 4
#: What a layer is multiplied by: normalised and active it halves what comes in, and eight of them would leave nothing.
_GAIN = 2.0
#: What a candidate adds to bicubic interpolation is a few grey levels; so many times that is seen.
_AMPLIFIED = 16.0


def discriminator(scale: int, channels: int, width: int) -> keras.Model:
    """Build the network, in float32 whatever the one it judges is trained in.

    Args:
        scale: How many times larger the candidate is than the image that it was made from.
        channels: Of the images.
        width: Features of the first level; each of the three that follow has twice as many.

    Returns:
        A network of a candidate `(n, h * scale, w * scale, c)` and its `low`, `(n, h, w, c)`, to one number for each,
        `(n, 1)`: higher for what looks real. 1,194,525 weights are trained for a width of 32 and one channel. It begins
        undecided, at 0 for all.
    """
    from keras import layers

    with numerics.policy("float32"):
        candidate = keras.Input((None, None, channels), name="candidate")
        low = keras.Input((None, None, channels), name="low")
        enlarged = layers.UpSampling2D(scale, interpolation="bicubic", name="enlarged")(low) if scale > 1 else low
        added = layers.Rescaling(_AMPLIFIED, name="added")(layers.Subtract(name="differs")([candidate, enlarged]))
        features = layers.Concatenate(name="pair")([candidate, added])
        for level in range(_LEVELS):
            filters = width * 2**level
            features = _convolution(features, filters, 1, f"level_{level + 1}_keep")
            features = _convolution(features, filters, 2, f"level_{level + 1}_halve")
            features = _excite(features, filters, f"level_{level + 1}")
        mean = layers.GlobalAveragePooling2D(name="mean")(features)
        judged = layers.Dense(1, kernel_initializer="zeros", name="judged")(mean)
        return keras.Model([candidate, low], judged, name="discriminator")


def _convolution(features: keras.KerasTensor, filters: int, strides: int, name: str) -> keras.KerasTensor:
    from keras import layers

    convolution = layers.Conv2D(filters, 3, strides=strides, padding="same", kernel_initializer="he_normal", name=name)
    normalised = layers.SpectralNormalization(convolution, name=f"{name}_normalised")(features)
    active = layers.LeakyReLU(_SLOPE, name=f"{name}_active")(normalised)
    return layers.Rescaling(_GAIN, name=f"{name}_gain")(active)


def _excite(features: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """Weigh features by what is in the whole patch."""
    from keras import layers

    mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(features)
    hidden = layers.Conv2D(max(1, filters // _REDUCTION), 1, activation="relu", name=f"{name}_hidden")(mean)
    share = layers.Conv2D(filters, 1, activation="sigmoid", kernel_initializer="zeros", name=f"{name}_share")(hidden)
    factors = layers.Rescaling(2.0, name=f"{name}_factors")(share)  # begin at 1
    return layers.Multiply(name=f"{name}_weighed")([features, factors])
