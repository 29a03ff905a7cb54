"""Three of MDSR's networks, that of each scale, are together what its authors count."""

import pytest

from tests.networks import built


@pytest.mark.parametrize(("channels", "counts"), [(3, (3_227_203, 7_953_987)), (1, (3_224_897, 7_951_681))])
def test_parameter_counts_are_the_authors(channels: int, counts: tuple[int, int]) -> None:
    sizes: dict[str, int] = {}  # what the scales share is counted once
    for scale in (2, 3, 4):
        network = built("mdsr", scale, channels, blocks=1)
        for layer in network.layers:
            sizes[layer.name] = sum(weight.numpy().size for weight in layer.trainable_weights)
    block = sizes["body.0.body.0"] + sizes["body.0.body.2"]
    assert tuple(sum(sizes.values()) + (blocks - 1) * block for blocks in (16, 80)) == counts


def test_the_branches_have_the_authors_numbers() -> None:
    names = {layer.name for layer in built("mdsr", 4, 1, blocks=1, width=4).layers}
    assert {"pre_process.2.1.body.2", "upsample.2.0", "upsample.2.2", "tail.0"} <= names
