from __future__ import annotations

from pathlib import Path

import pytest

import srexp
from srexp import cli
from srexp.config import paths
from srexp.config.override_grammar import override
from srexp.errors import RequestError


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


@pytest.mark.parametrize("pattern", [r"^(\d{8})", r"^(\w+?)_", r"(\d+)"])
@pytest.mark.parametrize("key", ["dataset.root", "dataset.test_root"])
def test_a_folder_with_a_patients_number_in_its_path_is_refused_before_anything_is_kept(
    pattern, key, tmp_path, monkeypatch
):
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    places = {"dataset.root": "/data/scans", key: "/data/19450201_MEIER/scans"}
    words = ["dataset=folder", override("dataset.patients", pattern), *(override(*each) for each in places.items())]
    for more in ([], ["-m", "seed=1,2"]):
        assert cli.run(["check", *more, *words]) == 2
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"19450201" in path.read_bytes()] == []
    with pytest.raises(RequestError, match="patient's number in the name of a folder"):
        srexp.compose(words)


@pytest.mark.parametrize(
    ("pattern", "root"),
    [(r"^(\d{8})", "/data/scans-19450201"), (r"^(\w+)-", "/tmp/pytest-of-me"), ("dicom", "/19450201")],
)
def test_other_folders_are_taken(pattern, root):
    words = ["dataset=folder", override("dataset.patients", pattern), override("dataset.root", root)]
    assert srexp.compose(words).dataset.root == root
