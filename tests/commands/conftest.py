"""Small networks and images that tests of `enhance` share."""

from __future__ import annotations

import shutil

import keras
import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.data import get_testdata_file

from srexp.models import vdsr


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Small networks as files: identities (a zero residual), and ones that add to the image what they are called."""
    folder = tmp_path_factory.mktemp("models")
    for scale in (1, 2):
        vdsr.build(scale, 1, depth=3, width=4).save(folder / f"identity_x{scale}.keras")
    network = vdsr.build(2, 1, depth=3, width=4)
    network.get_layer("residual").set_weights([np.zeros((3, 3, 4, 1)), np.array([0.1])])
    network.save(folder / "plus_x2.keras")
    image = keras.Input((None, None, 1))
    doubled = keras.layers.UpSampling2D(2)(image)
    moved = keras.layers.Cropping2D(((0, 0), (0, 1)))(keras.layers.ZeroPadding2D(((0, 0), (1, 0)))(doubled))
    keras.Model(image, keras.layers.Average()([doubled, moved])).save(folder / "sideways_x2.keras")
    image = keras.Input((None, None, 3))
    keras.Model(image, keras.layers.Rescaling(1.0)(image)).save(folder / "colour_x1.keras")
    image = keras.Input((None, None, 1))
    keras.Model(image, keras.layers.Rescaling(np.nan)(image)).save(folder / "nan_x1.keras")
    pooled = keras.layers.GlobalAveragePooling2D(keepdims=True)(image)
    keras.Model(image, keras.layers.Subtract()([image, pooled])).save(folder / "whole_x1.keras")
    return folder


@pytest.fixture
def tree(tmp_path):
    """Images of several kinds in a tree, and files that are none."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    drawn = np.random.default_rng(0)  # of each test its own, so that none depends on which ran before
    Image.fromarray(drawn.integers(0, 256, (12, 9), np.uint8)).save(folder / "a.png")
    tifffile.imwrite(folder / "sub" / "b.tif", drawn.integers(0, 4096, (8, 11), np.uint16), photometric="minisblack")
    shutil.copy(get_testdata_file("MR_small.dcm"), folder / "sub" / "1.2.3")
    (folder / "notes.txt").write_text("nothing")
    return folder
