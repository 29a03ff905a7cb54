"""What lies around an image: a convolution that keeps the size needs something there."""

from srexp.lazy_imports import keras


def repeat_border(image: "keras.KerasTensor", margin: int) -> "keras.KerasTensor":
    """Repeat the outermost pixels of an image, so that a convolution sees no border.

    Zeros there would be edges a hundred times stronger than what bicubic interpolation lacks, and half of the pixels of
    a training patch are near one. The code of SRCNN's authors replicates, too.

    Args:
        image: (n, h, w, c), symbolic, any h and w.
        margin: Pixels on each side.

    Returns:
        The image, (n, h + 2 * margin, w + 2 * margin, c).
    """
    for _ in range(margin):  # one by one, as "symmetric" repeats the outermost pixel only for a margin of 1
        image = keras.ops.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    return image
