"""What is known of the processor."""

from __future__ import annotations

from pathlib import Path

import pytest

from srexp.system.processor import cores, has_bfloat16, processor


@pytest.mark.parametrize(
    ("flags", "expected"), [("avx2 avx512_bf16", True), ("amx_bf16", True), ("avx2 avx512f", False)]
)
def test_the_processor_says_what_it_has(tmp_path: Path, flags: str, expected: bool) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\n")
    assert has_bfloat16(told) is expected
    assert not has_bfloat16(tmp_path / "missing")


def test_processor(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("model\t\t: 17\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2\n\nmodel name\t: second\n")
    assert "AMD EPYC" in processor(file)
    assert "avx2" in processor(file)
    assert f"{cores()} cores" in processor(tmp_path / "none")
