"""The weights with which TensorFlow enlarges bicubically, for runtimes that have no such operation."""

import numpy as np
import numpy.typing as npt

from srexp.lazy_imports import tf


def bicubic_taps(scale: int) -> npt.NDArray[np.float32]:
    """Give what `UpSampling2D(scale, interpolation="bicubic")` makes of a single bright pixel, along one axis.

    TensorFlow reads the kernel of Keys 1981 (a = -0.5) from a table of 1024 steps, so that a formula would be 3e-4 off
    where the scale is no power of two. The taps are asked for, not computed.

    Args:
        scale: How many times larger the image becomes.

    Returns:
        The taps: as many as output pixels that one pixel reaches, 4 * scale or one less for an odd scale, symmetric
        about the pixel.
    """
    reach = 4  # pixels around the bright one; the kernel ends after two
    line = np.zeros((1, 2 * reach + 1, 2 * reach + 1, 1), np.float32)
    line[0, reach] = 1
    size = [line.shape[1] * scale] * 2
    response = tf.image.resize(line, size, "bicubic").numpy()[0, :, size[1] // 2, 0]
    count = 4 * scale - scale % 2
    begin = (len(response) - count) // 2
    taps: npt.NDArray[np.float32] = response[begin : begin + count]
    return taps
