"""Subband: the sub-bands that bicubic interpolation lacks, from two streams of dense groups with cross connections.

After the wavelet-based, cross-connected residual-in-dense grouped network of G. Amaranageswarao, S. Deivalakshmi and
S.-B. Ko (2020). It is not their network: what is public of that doesn't fix one.

- Theirs: the wavelet domain, residual units inside dense connections, groups of features, cross connections between
  frequencies.
- Ours: Haar's wavelet at x2 and x4 and the cosine transform at x3, on squares of the bicubic image as large as the
  scale; a residual for each sub-band, every number, the initial weights.
"""

from typing import TypeAlias

from srexp.errors import RequestError, checked_by
from srexp.lazy_imports import keras
from srexp.models.initializers import small
from srexp.models.layers.head import head
from srexp.models.layers.residual import residual_block
from srexp.models.layers.upsampling import begin
from srexp.models.layers.wavelet import analysis, synthesis
from srexp.models.sizes import positive

#: Features of a stream: a tensor for each group.
Stream: TypeAlias = "list[keras.KerasTensor]"


def check_size(width: int, groups: int, stages: int, units: int) -> None:
    """Refuse sizes that cannot be built.

    Args:
        width: Features of a stream.
        groups: Into which they are divided.
        stages: Dense stages.
        units: Residual units of a stage.

    Raises:
        RequestError: Less than 1, or a width that groups don't divide.
    """
    positive("width", "groups", "stages", "units")(
        scale=1, channels=1, width=width, groups=groups, stages=stages, units=units
    )
    if width % groups:
        raise RequestError(
            "model.width can't be divided among the groups",
            got=f"width={width}, groups={groups}",
            expected="a multiple of the groups",
            fix=f"model.width={width // groups * groups or groups}",
        )


@checked_by(check_size)
def build(
    scale: int,
    channels: int,
    *,
    width: int = 32,
    groups: int = 2,
    stages: int = 3,
    units: int = 3,
    name: str = "subband",
) -> "keras.Model":
    """Build the network: split the bicubic image, restore its flat and its detail sub-bands, and put them together.

    The sub-bands have as many pixels as the low-resolution image, so any size will do. At scale 1 there is no detail to
    split off, and one stream restores the image. Training begins at bicubic quality, since the last layers are zero.

    Args:
        scale: How many times larger the restored image is, and the side of a square of pixels.
        channels: 1 (grey) or 3 (colour).
        width: Features of each of the two streams.
        groups: Into which they are divided; a residual unit sees its own group alone.
        stages: Dense stages, each followed by a cross connection of the streams.
        units: Residual units of a stage, of which each sees all before it.
        name: Name of the network.

    Returns:
        A network `(n, h, w, c)` -> `(n, h * scale, w * scale, c)`, float32; 231,620 weights for the defaults, one
        channel, x2.

    Raises:
        RequestError: A size is less than 1, or `groups` don't divide `width`.

    Example:
        >>> from srexp.evaluation.cost import cost
        >>> cost(build(scale=2, channels=1)).parameters
        231620
    """
    low, enlarged = begin(scale, channels)
    split = dict(zip(("flat", "detail"), analysis(enlarged, scale, name="band"), strict=False))
    streams: dict[str, Stream] = {
        key: [head(band, width // groups, 3, name=f"{key}_head_{group}") for group in range(1, groups + 1)]
        for key, band in split.items()
    }
    for stage in range(1, stages + 1):
        dense = {key: _stage(stream, units, f"{key}_{stage}") for key, stream in streams.items()}
        streams = {key: _crossed(dense, key, f"{key}_{stage}_cross") for key in dense}
    residuals = [
        keras.layers.Conv2D(
            split[key].shape[-1], 3, padding="same", kernel_initializer="zeros", dtype="float32", name=f"{key}_residual"
        )(_joined(stream))
        for key, stream in streams.items()
    ]
    images = synthesis(residuals, scale, channels, name="residual")
    # float32: the sum with the image needs more than the 8 significant bits of bfloat16.
    restored = keras.layers.Add(dtype="float32", name="restored")([enlarged, *images])
    return keras.Model(low, restored, name=name)


def _stage(stream: Stream, units: int, name: str) -> Stream:
    """Residual units, of which each sees all before it, added to their input."""
    seen = residual = stream
    for unit in range(1, units + 1):
        if unit > 1:
            residual = _mixed(seen, stream, f"{name}_mix_{unit}")
        residual = [residual_block(each, name=f"{name}_unit_{unit}_{n}") for n, each in enumerate(residual, 1)]
        seen = seen + residual
    return _added(stream, _mixed(seen, stream, f"{name}_mix", adds=True), name)


def _crossed(streams: dict[str, Stream], key: str, name: str) -> Stream:
    """Add what the other stream says, where there is another."""
    others = [group for other, stream in streams.items() if other != key for group in stream]
    if not others:
        return streams[key]
    return _added(streams[key], _mixed(others, streams[key], name, adds=True), name)


def _mixed(features: Stream, like: Stream, name: str, *, adds: bool = False) -> Stream:
    """1 x 1 convolutions of all features to groups like others; `adds` says that what they give is added."""
    joined = _joined(features)
    initial = small() if adds else "glorot_uniform"
    return [
        keras.layers.Conv2D(group.shape[-1], 1, kernel_initializer=initial, name=f"{name}_{number}")(joined)
        for number, group in enumerate(like, 1)
    ]


def _added(stream: Stream, branch: Stream, name: str) -> Stream:
    """Add a branch to a stream, group by group."""
    pairs = enumerate(zip(stream, branch, strict=True), 1)
    return [keras.layers.Add(name=f"{name}_sum_{number}")(pair) for number, pair in pairs]


def _joined(groups: Stream) -> "keras.KerasTensor":
    """All groups as one tensor."""
    return groups[0] if len(groups) == 1 else keras.layers.Concatenate()(groups)
