"""What other people's programs make of a few images: writes the values that `oracles.json` keeps for the tests.

    python -m venv oracles && oracles/bin/pip install piq==0.8.0 piqa==1.3.2 sewar==0.4.10
    git clone https://github.com/rgcda/haarpsi  # the authors' own HaarPSI, haarPsi.py in NumPy
    PYTHONPATH=haarpsi oracles/bin/python tests/metrics/oracles.py > tests/metrics/oracles.json

They need PyTorch, which nothing else here does. All compute in float64.
"""

import json
import sys

import numpy as np

#: Name to sides in pixels, and how the image is spoilt.
CASES = {
    "noise": (64, 64, "noise"),
    "blur": (96, 72, "blur"),
    "sharper": (72, 96, "contrast"),
    "odd": (61, 77, "blur"),
    "negative": (48, 48, "negative"),
}


def pair(case):
    """Make an image of smooth waves, edges and texture, and a spoilt copy, in whole grey levels of 255."""
    height, width, kind = CASES[case]
    down, right = np.indices((height, width), dtype=np.float64)
    high = 120 + 50 * np.sin(down / 9) * np.cos(right / 7) + 40 * ((down - 30) ** 2 + (right - 34) ** 2 < 350)
    high = np.rint(high + 12 * np.sin(2.3 * down + 1.1 * right))
    noise = 9 * np.sin(37.7 * down + 91.3 * right * right)
    shifted = np.roll(high, 1, 0) + np.roll(high, -1, 0) + np.roll(high, 1, 1) + np.roll(high, -1, 1)
    spoilt = {
        "noise": high + noise,
        "blur": (2 * high + shifted) / 6 + noise / 9,
        "contrast": 128 + 1.2 * (high - 128),
        "negative": 255 - high,
    }[kind]
    return np.clip(np.rint(spoilt), 0, 255), np.clip(high, 0, 255)


def _values(restored, high):
    import piq
    import torch
    from haarPsi import haar_psi
    from piqa import gmsd
    from piqa.utils.functional import gradient_kernel, prewitt_kernel
    from sewar.full_ref import vifp
    from torch.nn.functional import avg_pool2d

    a, b = (torch.tensor(image)[None, None] for image in (restored, high))
    found = {
        "haarpsi": {
            "authors": haar_psi(high, restored)[0],
            "piq": piq.haarpsi(a, b, data_range=255, reduction="none"),
        },
        # piq takes the deviation of all pixels, the authors and piqa that of a sample.
        "gmsd": {"piq, of all": piq.gmsd(a, b, data_range=255, reduction="none")},
        "vifp": {
            "piq": piq.vif_p(a, b, data_range=255, reduction="none"),
            "sewar": vifp(high, restored),
        },
    }
    if not any(side % 2 for side in high.shape):  # piqa averages the last row of an odd image without zeros beyond
        a, b = avg_pool2d(a, 2), avg_pool2d(b, 2)
        kernel = gradient_kernel(prewitt_kernel()).double()
        found["gmsd"]["piqa"] = gmsd.gmsd(a, b, kernel, value_range=255)
    return {metric: {name: float(value) for name, value in each.items()} for metric, each in found.items()}


if __name__ == "__main__":
    json.dump({case: _values(*pair(case)) for case in CASES}, sys.stdout, indent=1)
    print()
