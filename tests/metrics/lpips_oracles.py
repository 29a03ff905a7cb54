"""What the authors' program makes of a few images by seeded weights: writes the values that `lpips_oracles.json` keeps.

    python -m venv oracles && oracles/bin/pip install lpips==0.1.4 torchvision
    oracles/bin/python tests/metrics/lpips_oracles.py > tests/metrics/lpips_oracles.json

It needs PyTorch, which nothing else here does, and computes in float64.
"""

import json
import sys

import numpy as np

#: Name to height, width, channels, and how the image is spoilt.
CASES = {
    "noise": (64, 64, 1, 20),
    "slight": (48, 80, 1, 2),
    "odd": (61, 77, 1, 8),
    "least": (16, 31, 1, 8),
    "colour": (50, 35, 3, 8),
}
_STAGES = (
    (1, 3, 64, (0, 2)),
    (2, 64, 128, (5, 7)),
    (3, 128, 256, (10, 12, 14)),
    (4, 256, 512, (17, 19, 21)),
    (5, 512, 512, (24, 26, 28)),
)


def arrays():
    """Draw weights by which no feature dies out, by the names and in the shapes of the program's state dictionary."""
    random, drawn = np.random.default_rng(2018), {}
    for stage, before, channels, convolutions in _STAGES:
        for number, each in enumerate(convolutions):
            inputs = channels if number else before
            kernel = random.standard_normal((channels, inputs, 3, 3), np.float32) * np.float32((2 / 9 / inputs) ** 0.5)
            drawn[f"net.slice{stage}.{each}.weight"] = kernel
            drawn[f"net.slice{stage}.{each}.bias"] = random.standard_normal(channels, np.float32) / 10
        drawn[f"lin{stage - 1}.model.1.weight"] = random.random((1, channels, 1, 1), np.float32)
    return drawn


def pair(case):
    """Make an image of waves and a disk, and a spoilt copy, in whole grey levels of 255: (h, w, c)."""
    height, width, channels, spoilt = CASES[case]
    down, right, channel = np.indices((height, width, channels), dtype=np.float64)
    high = (
        120 + 50 * np.sin(down / (9 + channel)) * np.cos(right / 7) + 40 * ((down - 30) ** 2 + (right - 34) ** 2 < 350)
    )
    restored = high + spoilt * np.sin(37.7 * down + 91.3 * right * right + channel)
    return tuple(np.clip(np.rint(each), 0, 255) for each in (restored, high))


def _value(measure, case):
    import torch

    pictures = (np.broadcast_to(each, (*each.shape[:2], 3)) / 255 for each in pair(case))
    restored, high = (torch.tensor(each.transpose(2, 0, 1).copy())[None] for each in pictures)
    return measure(restored, high, normalize=True).item()


if __name__ == "__main__":
    import torch
    from lpips import LPIPS

    measure = LPIPS(net="vgg", pnet_rand=True, verbose=False)
    known = {name: torch.tensor(array) for name, array in arrays().items()}
    unknown, surplus = measure.load_state_dict(known, strict=False)
    assert not surplus
    assert all(name.startswith(("scaling_layer.", "lins.")) for name in unknown)  # constants, and second names
    json.dump({case: _value(measure.double(), case) for case in CASES}, sys.stdout, indent=1)
    print()
