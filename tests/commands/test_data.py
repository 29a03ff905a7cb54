"""`python -m srexp data`: what is shown, what is written, and what is not."""

from __future__ import annotations

import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

import srexp
from srexp.cli import run
from srexp.commands import data
from srexp.data.download.archive import unpack_zip
from srexp.data.preparation.split import draw_splits
from srexp.data.sources.public_dataset import Downloadable, Piece
from srexp.errors import RequestError
from srexp.experiment.task import builders
from srexp.system.masking.pseudonyms import pseudonym
from srexp.system.terminal import Terminal

HEAVY = ("tensorflow", "keras", "mlflow", "optuna")
PATIENTS = 'dataset.patients="^(\\w+)-"'


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty images of ten patients; the last patient's are copies of the first one's, at half the size."""
    root = tmp_path / "images"
    root.mkdir()
    for number in range(18):
        noise = gaussian_filter(np.random.default_rng(number).standard_normal((128, 128)), 3)
        pixels = np.uint8(np.clip(128 + 400 * noise, 0, 255))
        Image.fromarray(pixels).save(root / f"secret{number // 2}-{number % 2}.png")
    for number in range(2):
        Image.open(root / f"secret0-{number}.png").resize((64, 64)).save(root / f"secret9-{number}.png")
    return root


FRACTIONS = (0.4, 0.3, 0.3)


def parting_seed() -> int:
    """A seed that puts the copies and their originals into different splits."""
    patients = [f"secret{number // 2}" for number in range(20)]
    drawn = (draw_splits(patients, FRACTIONS, seed) for seed in range(20))
    return next(seed for seed, split in enumerate(drawn) if split["secret0"] != split["secret9"])


def arguments(folder: Path, *more: str) -> list[str]:
    seed, fractions = f"seed={parting_seed()}", f"dataset.fractions={list(FRACTIONS)}".replace(" ", "")
    return ["dataset=folder", f"dataset.root={folder}", PATIENTS, fractions, seed, *more]


@pytest.mark.slow
def test_everything_is_shown_and_written_without_heavy_imports(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    request = ["data", *arguments(folder, f"hydra.run.dir={out}")]
    code = (
        f"import sys; from srexp.cli import run\nassert run({request!r}) == 0\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "heavy: []"
    result = json.loads((out / "result.json").read_text())
    assert result["images"] == 20
    assert [counts["images"] for counts in result["splits"].values()] == [8, 6, 6]
    assert [counts["patients"] for counts in result["splits"].values()] == [4, 3, 3]
    assert sum(counts["bits"]["8"] for counts in result["splits"].values()) == 20
    assert [finding["kind"] for finding in result["findings"]] == ["near-duplicates"]
    assert set(result["findings"][0]["images"]) == {pseudonym(f"secret{p}-{n}.png") for p in (0, 9) for n in (0, 1)}
    assert result["warnings"][0].startswith("2 pairs of images in different splits")
    assert len(result["data_fingerprint"]) == 64
    for name in result["files"]:
        assert (out / name).stat().st_size > 1000
    with Image.open(out / "contact_sheet.png") as sheet:
        assert sheet.width == 1346
    assert result["data_fingerprint"] in shown
    assert result["warnings"][0] in shown


@pytest.mark.parametrize("columns", [40, 80])
def test_the_splits_are_whole_on_a_narrow_terminal_too(columns: int, monkeypatch, capsys) -> None:
    summary = {
        "images": 3, "patients": 2, "smallest": [484, 484], "largest": [1955, 1841],
        "bits": {"10": 1, "12": 2}, "fill": {"median": 0.2, "least": 0.03, "most": 1.0},
    }  # fmt: skip
    console = Terminal(width=columns, force_terminal=False)
    monkeypatch.setattr(data, "Terminal", lambda: console)
    known = {"dataset": "knees", "images": 3, "patients_known": True, "splits": {"validation": summary}}
    data._show({**known, "data_fingerprint": "ab", "attribution": "", "skipped": [], "findings": [], "warnings": []})
    said = capsys.readouterr().out
    for part in ("validation", "3 images", "2 patients", "484 x 484", "1955 x 1841", "12 (2)", "20 % (3 to 100)"):
        assert part in said
    assert max(map(len, said.splitlines())) <= columns


def test_patients_appear_as_hashes_alone(folder: Path, tmp_path: Path, capfd) -> None:
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"{number:02d}.png")
    lines = [f"{number:02d}.png,Doe^Jane{number // 2}" for number in range(20)]
    (folder / "patients.csv").write_text("\n".join(["file,patient", *lines]))
    out = tmp_path / "out"
    table = "dataset.patients=patients.csv"
    assert run(["data", "dataset=folder", f"dataset.root={folder}", table, f"hydra.run.dir={out}"]) == 0
    with (out / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["patient"] for row in rows}) == 10
    caught = capfd.readouterr()
    assert "Doe" not in caught.out + caught.err
    for path in out.rglob("*"):
        assert path.is_dir() or b"Doe" not in path.read_bytes(), path


@pytest.fixture
def _without_pictures(monkeypatch) -> None:
    figure = SimpleNamespace(savefig=lambda _: None)
    monkeypatch.setattr(data, "write_overview", lambda *_: [])
    monkeypatch.setattr(data, "degradation_figure", lambda *_: figure)


@pytest.mark.slow
def test_strict_refuses_after_all_is_shown(folder: Path, tmp_path: Path, capfd) -> None:
    config = srexp.compose([*arguments(folder), "audit=strict"], verb="data")
    strict = dataclasses.replace(config, run_dir=tmp_path)
    with pytest.raises(RequestError, match="near-duplicates: 2 pairs") as refused:
        data.run(strict)
    assert refused.value.exit_code == 2
    assert "fingerprint" in capfd.readouterr().out
    assert (tmp_path / "contact_sheet.png").is_file()


@pytest.mark.usefixtures("_without_pictures")
def test_what_is_missing_is_downloaded_first(folder: Path, tmp_path: Path, monkeypatch) -> None:
    config = srexp.compose(arguments(folder), verb="data")
    parts = builders(config)
    calls = []

    class Remote(Downloadable):
        """The folder as a data set that has to be downloaded."""

        choice = "remote"
        warnings = ("half of it is invented",)

        def _pieces(self) -> list[Piece]:
            return [Piece("all", "all.zip", self.url, "", 1, unpack_zip)]

        def download(self, progress: object = None) -> None:
            calls.append("download")

        def items(self) -> list[object]:
            calls.append("items")
            return parts.source.items()

    monkeypatch.setattr(data, "builders", lambda _: dataclasses.replace(parts, source=Remote("remote", "", tmp_path)))
    result = data.run(dataclasses.replace(config, run_dir=tmp_path))
    assert calls == ["download", "items"]
    assert "half of it is invented" in result["warnings"]


@pytest.mark.usefixtures("_without_pictures")
def test_unusable_files_are_skipped_by_name(folder: Path, tmp_path: Path, capfd) -> None:
    (folder / "secret3-9.png").write_bytes(b"no image")
    assert run(["data", *arguments(folder)]) == 2
    assert "secret3-9.png" in capfd.readouterr().err
    for names, called in (("true", "secret3-9.png"), ("false", pseudonym("secret3-9.png"))):
        asked = ["dataset.on_error=skip", f"names={names}", f"hydra.run.dir={tmp_path}"]
        assert run(["data", *arguments(folder, *asked)]) == 0
        [skipped] = json.loads((tmp_path / "result.json").read_text())["skipped"]
        assert skipped["image"] == called
        said = capfd.readouterr().out
        assert called in said
        assert ("secret" in said) == (names == "true")


@pytest.mark.slow
def test_decoded_images_are_kept_on_disk_where_wanted(folder: Path, tmp_path: Path) -> None:
    for wanted in ("false", "true"):
        more = (f"hydra.run.dir={tmp_path / wanted}", f"trainer.decoded_cache={wanted}", "dataset.memory_mb=0")
        assert run(["data", *arguments(folder, *more)]) == 0
        kept = list((tmp_path / "project/mlruns/cache/decoded").glob("*.npy"))
        assert bool(kept) == (wanted == "true")
    assert all(np.load(file).shape[-1] == 1 for file in kept)
