"""What is installed, and the machine that it runs on, without importing any of it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

from srexp.system.processor import cores, gpus, model_name

_PACKAGES = {"srexp": "srexp", "TensorFlow": "tensorflow", "Keras": "keras", "Hydra": "hydra-core"}


def versions(proc: Path = Path("/proc")) -> str:
    """Name srexp, the libraries that decide its numbers, and the processor and graphics cards of this machine.

    Whether TensorFlow can use a card shows when it is loaded; here only the driver is asked.

    Args:
        proc: What Linux says of itself.
    """
    found = [f"{name} {_version(package)}" for name, package in _PACKAGES.items()]
    cards = [f"GPU {name}" for name in gpus(proc)]
    return ", ".join([*found, f"{model_name(proc / 'cpuinfo')} ({cores()} cores)", *cards])


@cache
def code() -> str:
    """Digest srexp's own source files and the versions of TensorFlow and Keras: where it is equal, so are the figures.

    A commit says less: a checkout may have been changed since, and an installed package has none.

    Returns:
        64 hexadecimal digits; the same on every machine.
    """
    package = Path(__file__).parents[1]
    digest = hashlib.sha256(f"{_version('tensorflow')} {_version('keras')}".encode())
    for path in sorted(package.rglob("*.py")):
        digest.update(f"\0{path.relative_to(package).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
