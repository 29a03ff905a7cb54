"""Degradations one after the other."""

import numpy as np

from srexp.data.degradation.acquisition import Blur, Noise
from srexp.data.degradation.chain import Chain, chain
from srexp.data.degradation.degradations import Bicubic
from srexp.data.degradation.imresize import resize
from tests.data.degradation.images import image, rng


def test_a_chain_works_at_full_size_until_its_last_step():
    high = image(24, 24)
    noisy, blur = Noise(photons=100), Blur()
    got = Chain("worn", (noisy, blur))(high, 2, rng())
    source = rng()
    np.testing.assert_array_equal(got, blur(noisy(high, 1, source), 2, source))


def test_a_chain_of_chains():
    inner = chain(name="inner", steps={"blur": {}, "contrast": {}})
    outer = Chain("outer", (inner, Bicubic()))
    high = image(24, 24)
    np.testing.assert_allclose(outer(high, 2, rng()), resize(inner(high, 1, rng()), scale=0.5), atol=1e-6)
    assert outer.halo(3) >= inner.halo(1) + Bicubic().halo(3)
