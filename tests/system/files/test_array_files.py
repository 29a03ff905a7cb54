"""Arrays of strangers: what is read, and what is refused before it costs anything."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from srexp.errors import RequestError
from srexp.system.files import array_files
from srexp.system.files.array_files import read_arrays


def npy(array: np.ndarray, **changed: object) -> bytes:
    """Give the bytes of an array, with another header where something is changed."""
    file = io.BytesIO()
    header = {**np.lib.format.header_data_from_array_1_0(array), **changed}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + array.tobytes()


def written(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_npy", ".npy"), content)
    return path


def test_arrays_come_by_name_in_order_and_as_float32(tmp_path: Path) -> None:
    first, second = np.arange(6.0).reshape(2, 3), np.float16([0.5])
    np.savez_compressed(tmp_path / "a.npz", **{"z.weight": first, "a.bias": second})
    read = read_arrays(tmp_path / "a.npz")
    assert [(name, array.dtype.name) for name, array in read.items()] == [
        ("z.weight", "float32"),
        ("a.bias", "float32"),
    ]
    np.testing.assert_array_equal(read["z.weight"], first)


GOOD = np.ones(3, np.float32)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, "holds no arrays"),
        ({"a_npy": npy(GOOD), "evil.py": b"print()"}, "or more than arrays"),
        ({"a_npy": b"no array"}, "can't be read"),
        ({"a_npy": npy(np.arange(3))}, "a.npy of .* holds no floating-point numbers"),
        ({"a_npy": npy(GOOD, descr="|O")}, "holds no floating-point numbers"),
        ({"a_npy": npy(GOOD, shape=(10**12,))}, "a.npy of .* is damaged"),
        ({"a_npy": npy(np.float32([1, np.nan]))}, "a.npy of .* holds values that are not numbers"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_all_else_is_refused_by_name(members: dict[str, bytes], said: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=said):
        read_arrays(written(tmp_path / "a.npz", **members))


def test_no_file_and_no_archive_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="there is no file"):
        read_arrays(tmp_path / "none.npz")
    (tmp_path / "a.pth").write_bytes(b"PK no archive")
    with pytest.raises(RequestError, match="can't be read"):
        read_arrays(tmp_path / "a.pth")


def test_bounds_hold_before_anything_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.npz", a_npy=npy(GOOD), b_npy=npy(GOOD))
    for name, most in (("MOST_ARRAYS", 1), ("MOST_BYTES", 200)):
        with monkeypatch.context() as patch:
            patch.setattr(array_files, name, most)
            with pytest.raises(RequestError, match="too large for the weights of a network"):
                read_arrays(path)
