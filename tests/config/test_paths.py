from __future__ import annotations

from pathlib import Path

import pytest

from srexp.config import paths


def test_configuration_lies_in_the_checkout():
    assert (paths.config_home() / "conf" / "base.yaml").is_file()


@pytest.fixture
def installed(monkeypatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(paths, "_CHECKOUT", tmp_path / "site-packages")
    monkeypatch.delenv("SREXP_ROOT", raising=False)
    return tmp_path


def test_an_installed_package_writes_to_the_current_folder(installed: Path, monkeypatch):
    monkeypatch.chdir(installed)
    assert paths.project_root() == installed


def test_an_installed_package_finds_its_project_from_below(installed: Path, monkeypatch):
    (installed / "mlruns").mkdir()
    below = installed / "notebooks" / "today"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert paths.project_root() == installed
    assert paths.config_home().name == "srexp"


def test_the_environment_decides(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    assert paths.project_root() == tmp_path


def test_a_folder_that_cannot_be_looked_into_has_no_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / ("x" * 300)))
    assert paths.found_presets() == paths.config_home()
