"""The processor that a process may use."""

import os
import platform
from pathlib import Path

_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}


def cores() -> int:
    """Count the cores that this process may use, which a container or `taskset` may have reduced."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor computes in bfloat16 itself; elsewhere that is emulated, and slower."""
    return bool(_BFLOAT16_FLAGS & flags(cpuinfo))


def flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """Name what the processor can do, as Linux does; nothing where there is no Linux, or another kind of processor."""
    return set(_first_of(cpuinfo).get("flags", "").split())


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Describe model, instructions and usable cores of the processor, for what was measured on it."""
    first = _first_of(cpuinfo)
    wanted = (first[key] for key in ("model name", "model", "flags") if key in first)
    return " ".join([platform.machine(), *wanted, f"{cores()} cores"])


def model_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name the processor as its maker does; where Linux doesn't say it, by its architecture."""
    return _first_of(cpuinfo).get("model name", "").lstrip(": \t") or platform.machine()


def gpus(proc: Path = Path("/proc")) -> list[str]:
    """Name the graphics cards of NVIDIA that a driver is loaded for."""
    told = [path.read_text(encoding="utf-8") for path in sorted(proc.glob("driver/nvidia/gpus/*/information"))]
    lines = [line.partition(":") for each in told for line in each.splitlines()]
    return [name.strip() for key, _, name in lines if key.strip() == "Model"]


def _first_of(cpuinfo: Path) -> dict[str, str]:
    """Read what Linux says of the first core, the colons before the values included."""
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    return {key: value for line in reversed(lines) for key, _, value in [line.partition("\t")]}
