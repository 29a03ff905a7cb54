import numpy as np
import pytest

from srexp.enhance.runtimes.bicubic_taps import bicubic_taps


def keys(distance):
    """The kernel of Keys 1981 with a = -0.5."""
    x = np.abs(distance)
    return np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))


@pytest.mark.parametrize("scale", range(2, 9))
def test_taps_are_those_of_keys_up_to_the_steps_of_a_table(scale):
    taps = bicubic_taps(scale)
    at = (np.arange(len(taps)) - (len(taps) - 1) / 2) / scale
    assert taps == pytest.approx(keys(at), abs=1e-6 if scale in (2, 4, 8) else 1e-3)
    assert taps == pytest.approx(taps[::-1], abs=2e-3)
    assert taps.sum() == pytest.approx(scale, abs=1e-5)
