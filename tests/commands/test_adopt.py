"""Weights that were trained elsewhere, from the file to the registry; and the authors' own against what they logged."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import srexp
from srexp.cli import run
from srexp.config.builders import build
from srexp.experiment.network import float32_network
from srexp.models.foreign_weights import set_arrays
from srexp.system.files.array_files import read_arrays
from srexp.tracking.registry.models import load, training_images
from srexp.tracking.store.store import connect
from tests.networks import built, thin

PLAIN = ["tracking.system_metrics=false", "tracking.max_images=0"]
LUMINANCE = ["protocol=y", "protocol.colour=true"]

#: What the authors of ETDS logged for each file of weights, and those of LKDN published, in dB; options of the network.
LOGGED = {
    "ESPCN_x2": (36.8565, ["model=espcn", "model.end=sigmoid"]),
    "ESPCN_x3": (32.8478, ["model=espcn", "model.end=sigmoid"]),
    "FSRCNN_x2": (36.9971, ["model=fsrcnn"]),
    "FSRCNN_x4": (30.7606, ["model=fsrcnn"]),
    "ECBSR_M4C16_x2": (37.1757, ["model=ecbsr", "model.form=folded"]),
    "ECBSR_M4C16_x4": (30.8680, ["model=ecbsr", "model.form=folded"]),
    "ETDS_M4C32_x2": (37.3765, ["model=etds", "model.form=folded"]),
    "ETDS_M7C48_x3": (33.8768, ["model=etds", "model.form=folded", "model.blocks=7", "model.width=48"]),
    "LKDN_x4": (32.39, ["model=lkdn"]),
}


def weights(path: Path, **changed: np.ndarray) -> Path:
    """Write the initial weights of a small ESPCN for colour as PyTorch would have them."""
    convolutions = [layer for layer in built("espcn", 2, 3, filters=[4, 4]).layers if layer.name.startswith("conv")]
    arrays = {
        f"{layer.name}.{name}": np.transpose(array, (3, 2, 0, 1)) if array.ndim > 1 else array
        for layer in convolutions
        for name, array in zip(("weight", "bias"), layer.get_weights(), strict=True)
    }
    np.savez(path, **arrays, **changed)
    return path


def test_an_adopted_network_is_scored_and_registered_with_its_origin(tmp_path: Path, monkeypatch, capfd) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    file = weights(tmp_path / "mine.npz")
    small = ["model=espcn", "model.filters=[4,4]", "scale=2", f"weights={file}", "trainer.test_size=64", *PLAIN]
    result = srexp.run("adopt", [*small, *LUMINANCE, "licence=MIT", "source=somewhere"])
    assert result["registered"] == {"name": "samples-bicubic-x2", "version": 1, "alias": "candidate"}
    assert result["protocol"]["channel"] == "y of rgb"
    printed = capfd.readouterr().out
    assert "nothing was trained" in printed
    assert "best epoch" not in printed
    config = srexp.compose(small, verb="adopt")
    store = connect(build(config.tracking, folder=config.paths.root).store)
    told = {"adopted.licence": "MIT", "adopted.source": "somewhere", "adopted.file": "mine.npz",
            "adopted.sha256": result["adopted"]["sha256"]}  # fmt: skip
    for tags in (
        store.get_run(result["run_id"]).data.tags,
        store.get_model_version("samples-bicubic-x2", "1").tags,
    ):
        assert told.items() <= tags.items()
    assert "optimizer.lr" not in store.get_run(result["run_id"]).data.params
    kept = build(config.tracking, folder=config.paths.root).store
    loaded = load(kept, result["model_uri"])
    assert training_images(kept, loaded.found) is None  # whoever trained it had other images
    expected = built("espcn", 2, 3, filters=[4, 4])
    set_arrays(expected, read_arrays(file), file.name)
    for ours, theirs in zip(loaded.model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def as_in_pytorch(network: keras.Model) -> dict[str, np.ndarray]:
    """Give random weights for a network by the names and in the shapes of its authors' state dictionary."""
    rng = np.random.default_rng(5)
    arrays = {}
    for layer in network.layers:
        for name, variable in zip(("weight", "bias"), layer.trainable_weights, strict=False):
            shape = tuple(variable.shape)
            if isinstance(layer, keras.layers.PReLU):
                shape = shape[-1:]
            elif len(shape) == 4:
                shape = tuple(shape[place] for place in (3, 2, 0, 1))
            arrays[f"{layer.name}.{name}"] = rng.normal(0, 0.02, shape).astype(np.float32)
    return arrays


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", ["imdn", "rfdn", "rlfn", "pan"])
def test_networks_whose_weights_we_do_not_have_are_adopted_by_their_authors_names(name: str, tmp_path: Path) -> None:
    narrow = thin(name)
    arrays = as_in_pytorch(built(name, 2, 3, **narrow))
    file = tmp_path / "theirs.npz"
    np.savez(file, **arrays)
    typed = [f"model={name}", "scale=2", *(f"model.{key}={value}" for key, value in narrow.items()), *LUMINANCE]
    model = float32_network(srexp.compose(typed, verb="adopt"), 3)
    set_arrays(model, read_arrays(file), file.name)
    adopted = {layer.name: layer for layer in model.layers if layer.trainable_weights}
    assert list(adopted) == list(dict.fromkeys(key.rpartition(".")[0] for key in arrays))
    for key, array in arrays.items():
        layer, _, kind = key.rpartition(".")
        kept = adopted[layer].get_weights()[("weight", "bias").index(kind)]
        np.testing.assert_array_equal(kept.transpose(3, 2, 0, 1) if array.ndim == 4 else kept.reshape(-1), array)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ([], "weights is missing"),
        (["weights=none.npz"], "there is no file none.npz"),
        (["model=vdsr", "model.depth=1", "weights=MINE"], "model.depth is too small"),
        (["model=espcn", "model.filters=[4,4]", "weights=MINE"], "conv1.weight (4, 3, 5, 5) for (4, 1, 5, 5)"),
        (["model=ecbsr", "weights=MINE"], "model.form=folded"),
    ],
)
def test_what_does_not_fit_is_refused(typed: list[str], said: str, tmp_path: Path, monkeypatch, capfd) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    file = weights(tmp_path / "mine.npz")
    assert run(["adopt", *(word.replace("MINE", str(file)) for word in typed)]) == 2
    assert said in capfd.readouterr().err


@pytest.fixture(scope="module")
def set5(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Set5 as the authors cut it, to multiples of 12 pixels."""
    folder = tmp_path_factory.mktemp("Set5")
    for file in (real_data / "sr" / "Set5").glob("*.bmp"):
        image = Image.open(file).convert("RGB")
        image.crop((0, 0, image.width // 12 * 12, image.height // 12 * 12)).save(folder / f"{file.stem}.png")
    return folder


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("name", LOGGED)
def test_authors_weights_score_what_the_authors_logged(
    name: str, real_data: Path, set5: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    logged, options = LOGGED[name]
    same = [f"scale={name[-1]}", *LUMINANCE, *PLAIN]
    file = real_data / "weights" / f"{name}.npz"
    adopted = srexp.run("adopt", [*options, *same, f"weights={file}", "trainer.test_size=96"])
    uri = f"model_uri={adopted['model_uri']}"
    result = srexp.run("evaluate", [uri, *same, "dataset=folder", f"dataset.root={set5}"])
    assert result["test"]["n_images"] == 5
    assert result["test"]["psnr"] == pytest.approx(logged, abs=0.02), json.dumps(result["test"])
