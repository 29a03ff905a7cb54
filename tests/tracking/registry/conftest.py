"""A small network, and the members of its file."""

import zipfile

import keras
import pytest


@pytest.fixture(scope="module")
def network():
    image = keras.Input((None, None, 1))
    return keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image))


@pytest.fixture
def parts(network, tmp_path):
    """The members of a saved network."""
    network.save(tmp_path / "honest.keras")
    with zipfile.ZipFile(tmp_path / "honest.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}
