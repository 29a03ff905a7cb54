"""Whichever kernels a process takes: a seed repeats, a killed training goes on the same way, tiles equal the whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import srexp
from srexp.system.kernels import choice
from tests.stories.test_resume import SAME, history, start

pytestmark = pytest.mark.system

NETWORKS = {"srcnn": [], "vdsr": ["model.depth=6"], "hybrid": [], "edsr": ["model.blocks=2"], "fsrcnn": []}

STEPS = """
import json, sys
import numpy as np
import srexp
from srexp.config.builders import build
from srexp.enhance.predict import predictor, strip_predictor
from srexp.experiment import network
from srexp.system.kernels import choice

choice.instruction_set = lambda: "avx2"  # so that gradients are taken as products, whatever processor this is

def trained(config, low, high):
    network.prepare(config)
    with network.trained_network(config, 1, precision="float32") as model:
        model.compile(optimizer=build(config.optimizer), loss=build(config.loss), jit_compile=False)
        for _ in range(3):
            model.train_on_batch(low, high)
    return model

draw = np.random.default_rng(3).random
found = {}
for name, more in json.loads(sys.argv[1]).items():
    config = srexp.compose([f"model={name}", "trainer.precision=float32", "seed=5", *more])
    sides = 24 // config.inner_scale, 24
    batch = [draw((4, side, side, 1), np.float32) for side in sides]
    first, second = trained(config, *batch), trained(config, *batch)
    bits = [[each.tobytes() for each in model.get_weights()] for model in (first, second)]
    restorer = network.float32_network(config, 1)
    moved = any(map(np.any, map(np.not_equal, first.get_weights(), restorer.get_weights())))
    restorer.set_weights(first.get_weights())
    low = draw((90, 70, 1), np.float32)
    tiles = []
    strips = strip_predictor(restorer, config.scale, 0.001, on_tiles=tiles.append)(low)
    whole, tiled = predictor(restorer, config.scale)(low), np.concatenate(list(strips))
    error = float(np.abs(whole - tiled).max() / max(1, np.abs(whole).max()))
    products = any("convolution_op" in vars(layer) for layer in first.layers)
    found[name] = [moved, bits[0] == bits[1], products, tiles, error]
print(json.dumps([choice.in_force(), found]))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)  # ten trainings and their graphs in a process that has to load TensorFlow first
@pytest.mark.parametrize("kind", choice.KINDS)
def test_a_seed_repeats_and_tiles_equal_the_whole_image(kind):
    environment = {**os.environ, choice.SWITCH: choice.KINDS[kind], "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", STEPS, json.dumps(NETWORKS)]
    said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    in_force, found = json.loads(said.stdout)
    assert in_force == kind
    assert found.keys() == NETWORKS.keys()
    for name, (moved, repeated, products, tiles, error) in found.items():
        assert moved, name
        assert repeated, name
        assert products == (kind == "onednn" and name in {"vdsr", "hybrid", "edsr"}), name
        assert sum(tiles) > 1, name
        assert error <= 1e-5, name


@pytest.mark.slow
@pytest.mark.skipif(choice.instruction_set() is None, reason="there are two kinds on x86 only")
def test_a_killed_training_goes_on_with_the_kernels_that_it_began_with(project, folder_of, monkeypatch):
    import tensorflow  # noqa: F401, ICN001 - with the kernels of the suite, before the switch is another one

    asked = [*folder_of, "trainer.epochs=4", "trainer.steps_per_epoch=25", "trainer.precision=float32", "seed=3"]
    monkeypatch.setenv(choice.SWITCH, choice.KINDS["eigen"])
    process = start(project, [*asked, "checkpoint.minutes=0"], "epoch 2/")
    time.sleep(0.1)
    process.kill()
    process.wait()
    process.stderr.close()
    [killed] = project.runs()
    assert killed.info.status == "RUNNING"
    assert killed.data.tags[choice.KERNELS] == "eigen"
    done = project.run(*asked, timeout=600)
    assert done.returncode == 0, done.stderr
    monkeypatch.delenv(choice.SWITCH)  # where TensorFlow would choose, here or on the next machine
    gone_on = project.run(f"resume={killed.info.run_id}", timeout=600)
    assert gone_on.returncode == 0, gone_on.stderr
    assert "other code" not in gone_on.stdout

    results = {each["run_id"]: each for each in project.results()}
    resumed = results.pop(killed.info.run_id)
    [whole] = results.values()
    assert {key: resumed[key] for key in SAME} == {key: whole[key] for key in SAME}
    assert project.weights(resumed["model_uri"]) == project.weights(whole["model_uri"])
    assert history(project, resumed["run_id"]) == history(project, whole["run_id"])
    kinds = {each.data.tags[choice.KERNELS] for each in project.runs()}
    kinds |= {each.data.params[choice.KERNELS] for each in project.runs()}
    assert kinds == {"eigen"}

    other = srexp.run("train", asked)  # with the kind of the suite
    assert project.weights(other["model_uri"]) != project.weights(whole["model_uri"])


class SettledError(Exception):
    """The kernels were chosen; nothing more is wanted."""


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["train", "search"])
def test_network_job_and_precision_decide_before_tensorflow_is_imported(verb, project, folder_of, monkeypatch):
    told = []

    def settle(*given, **named):
        told.append((*given, *named.values()))
        raise SettledError

    monkeypatch.setattr(choice, "settle", settle)
    more = ["+sweeps=vdsr_hyperband"] if verb == "search" else []
    with pytest.raises(SettledError):
        srexp.run(verb, [*more, *folder_of, "model=vdsr", "trainer.precision=float32"])
    assert told == [("vdsr", "training", "float32")]


def test_every_run_has_its_kernels(two_trainings):
    for run in two_trainings.runs():
        assert run.data.tags[choice.KERNELS] == run.data.params[choice.KERNELS] == choice.in_force()
