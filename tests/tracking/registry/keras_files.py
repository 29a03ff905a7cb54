"""Keras files of the members that a test gives them."""

import io
import zipfile

import h5py
import pytest


def packed(path, parts, kind=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return str(path)


def weights(change):
    file = io.BytesIO()
    with h5py.File(file, "w") as held:
        change(held.create_group("layers/conv2d/vars"))
    return file.getvalue()


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))
