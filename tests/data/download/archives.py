"""Archives of the members that a test gives them, and how one is refused."""

from __future__ import annotations

import contextlib
import io
import random
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from srexp.errors import RequestError


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def tar_gz(members: dict[str, bytes], *special: tarfile.TarInfo) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in special:
            archive.addfile(info)
    return stream.getvalue()


@contextlib.contextmanager
def refused(archive: Path, said: str) -> Iterator[pytest.ExceptionInfo[RequestError]]:
    """Expect a refusal that names the archive and says why, and how to mend it."""
    begin = f"^{re.escape(str(archive))} can't be unpacked: "
    with pytest.raises(RequestError, match=f"{begin}.*{said}") as raised:
        yield raised
    assert raised.value.fix == f"delete {archive} and repeat the command"


def zipped(path: Path, members: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if change:
                change(info)
            archive.writestr(info, content)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def special(kind: bytes, name: str = "images/x.png", link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info
