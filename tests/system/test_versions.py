from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from srexp.system import versions as module
from srexp.system.processor import cores
from srexp.system.versions import code, versions


def test_versions_and_the_machine_are_told(tmp_path: Path) -> None:
    card = tmp_path / "driver" / "nvidia" / "gpus" / "0000:3b:00.0"
    card.mkdir(parents=True)
    (card / "information").write_text("Model: \t\t NVIDIA H200\nIRQ:   \t\t 255\n")
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Xeon 7\n")
    said = versions(tmp_path)
    assert said.endswith(f", Xeon 7 ({cores()} cores), GPU NVIDIA H200")
    for name, package in {"srexp": "srexp", "TensorFlow": "tensorflow", "Keras": "keras"}.items():
        assert f"{name} {metadata.version(package)}" in said


def test_without_a_card_or_a_library_there_is_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> str:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", missing)
    said = versions(tmp_path)
    assert "TensorFlow not installed" in said
    assert "GPU" not in said


def test_code_that_computes_differently_has_another_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a copy it is the same; of one with another byte, name or Keras it isn't."""

    def of(changed: str = "", keras: str = "3", name: str = "score.py") -> str:
        package = tmp_path / f"{changed}{keras}{name}" / "srexp"
        (package / "system").mkdir(parents=True, exist_ok=True)
        (package / "system" / "versions.py").write_text("")
        (package / name).write_text(f"SHAVE = 2{changed}")
        (package / "notes.txt").write_text(str(package))
        monkeypatch.setattr(module, "__file__", str(package / "system" / "versions.py"))
        monkeypatch.setattr(module, "_version", lambda of: keras)
        return code.__wrapped__()

    assert of() == of()
    assert len({of(), of("0"), of(keras="4"), of(name="scores.py")}) == 4
