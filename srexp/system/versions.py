"""What is installed, and the machine that it runs on, without importing any of it."""

from __future__ import annotations

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


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
