"""What `enhance` takes beside ONNX Runtime and OpenVINO called by hand: a large radiograph, and a folder of small ones.

    python tests/benchmarks/bench_by_hand.py --write        # some 15 minutes on two cores that do nothing else
    python tests/benchmarks/bench_by_hand.py --quick        # whether it works

By hand means what a user would write: the exported network opened with the runtime's defaults (OpenVINO in float32), a
loop that reads by Pillow, restores an image whole or in tiles with a border, rounds and writes. Each of the three has a
process of its own, whose start and first image don't count. All take turns: with the radiograph as often as `--rounds`
says, VDSR once. Of the folder srexp restores group after group, each beside one of the other two. Ratios are medians
over the turns, of the time on the processors and on the clock, child processes included; above 1 srexp takes longer.
The peak is the largest resident memory of the process, which has TensorFlow for srexp alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from tests.benchmarks.taking_turns import Cost, Worker, serve

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results" / "speed.md"
BEGIN, END = "<!-- bench_by_hand.py writes from here -->", "<!-- to here -->"
WHO = ("srexp", "onnxruntime", "openvino")
NETWORKS = {"hybrid": "zoo/hybrid-cxr-x2", "vdsr": "zoo/vdsr-cxr-x2"}
SIDE, GROUP = 512, 50
TILE, BORDER = 512, 16  # of a loop by hand; no network of these sees further


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["hybrid", "vdsr", "folder"], choices=["hybrid", "vdsr", "folder"])
    parser.add_argument("--images", type=int, default=500, help="of the folder")
    parser.add_argument("--rounds", type=int, default=3, help="turns with the radiograph; VDSR has one")
    parser.add_argument("--quick", action="store_true", help="a few small images")
    parser.add_argument("--write", action="store_true", help=f"put the table into {RESULTS.relative_to(ROOT)}")
    parser.add_argument("--serve", nargs=1, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(srexp_enhances if asked.serve[0] == "srexp" else partial(by_hand, asked.serve[0]), 0)
        return
    rows = ["| images | network | beside | processors | clock | s, srexp | peak, srexp | peak, by hand |"]
    rows.append("|---|---|---|---|---|---|---|---|")
    print(*rows, sep="\n", flush=True)
    for what in asked.only:
        with tempfile.TemporaryDirectory() as scratch:
            found = measured(what, asked, Path(scratch))
        print(*found, sep="\n", flush=True)
        rows += found
    if asked.write:
        write(rows)


def measured(what: str, asked: argparse.Namespace, scratch: Path) -> list[str]:
    """Let the three take turns; give the rows of the table."""
    name = what if what in NETWORKS else "hybrid"
    height, width = (600, 500) if asked.quick else (2500, 2048)
    count, group = (12, 4) if asked.quick else (asked.images, GROUP)
    if what == "folder":
        folders = [scratch / f"in{start}" for start in range(0, count, group)]
        for number, folder in enumerate(folders):
            images(folder, range(number * group, min(count, (number + 1) * group)), (SIDE, SIDE), 8)
        title = f"{count} of {SIDE} x {SIDE}"
    else:
        rounds = 1 if what == "vdsr" else asked.rounds
        images(scratch / "in", range(1), (height, width), 16)
        folders = [scratch / "in"] * rounds
        title = f"{height} x {width}"
    images(scratch / "first", range(1), (SIDE, SIDE), 8)
    environment = {"SREXP_ROOT": str(scratch), "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    exported = scratch / "exported"
    command = ["-m", "srexp", "export", f"model_uri={NETWORKS[name]}", "format=onnx", f"output={exported}"]
    environed = {**os.environ, **environment}
    subprocess.run([sys.executable, *command], check=True, env=environed, cwd=scratch, stdout=subprocess.DEVNULL)
    workers = {who: Worker([sys.executable, __file__, "--serve", who], environment) for who in WHO}
    for who, worker in workers.items():
        worker.ask(NETWORKS[name], str(exported), str(scratch / "first"), str(scratch / f"{who}-first"))
    turns: list[dict[str, Cost]] = []
    for number, folder in enumerate(folders):
        turn = {}
        for who in WHO if what in NETWORKS else (WHO[0], WHO[1 + number % 2]):
            worker = workers[who]
            begun, worked = time.perf_counter(), processor_seconds(worker)
            worker.ask(NETWORKS[name], str(exported), str(folder), str(scratch / f"{who}-{number}"))
            turn[who] = Cost(processor_seconds(worker) - worked, time.perf_counter() - begun)
        turns.append(turn)
        require_alike(scratch, number, [who for who in turn if who != "srexp"])
    peaks = {who: peak_mb(worker) for who, worker in workers.items()}
    for worker in workers.values():
        worker.end()
    return [row(title, name, who, turns, peaks) for who in WHO[1:]]


def row(title: str, name: str, who: str, turns: list[dict[str, Cost]], peaks: dict[str, float]) -> str:
    """Give a row of the table."""
    both = [turn for turn in turns if who in turn]
    processors = statistics.median(turn["srexp"].processor / turn[who].processor for turn in both)
    clock = statistics.median(turn["srexp"].clock / turn[who].clock for turn in both)
    seconds = sum(turn["srexp"].clock for turn in turns) / (1 if "of" in title else len(turns))
    memory = f"{peaks['srexp']:.0f} MiB | {peaks[who]:.0f} MiB"
    return f"| {title} | `{name}` | {who} | {processors:.2f} | {clock:.2f} | {seconds:.1f} | {memory} |"


def processor_seconds(worker: Worker) -> float:
    """Give what a process and its children have spent on the processors so far."""
    import psutil

    process = psutil.Process(worker.process.pid)
    return sum(sum(each.cpu_times()[:4]) for each in (process, *process.children(recursive=True)))


def peak_mb(worker: Worker) -> float:
    """Give the largest resident memory of a process so far, in MiB."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s*(\d+)", status)[0]) / 1024


def require_alike(scratch: Path, number: int, others: list[str]) -> None:
    """End unless all wrote the same images, up to a level of rounding and what the border of tiles leaves."""
    from PIL import Image

    for path in sorted((scratch / f"srexp-{number}").glob("*.png")):
        ours = np.asarray(Image.open(path)).astype(int)
        for who in others:
            theirs = np.asarray(Image.open(scratch / f"{who}-{number}" / path.name)).astype(int)
            if ours.shape != theirs.shape or np.abs(ours - theirs).max() > (1 if ours.max() < 256 else 16):
                sys.exit(f"{who} made another image of {path.name}")


def images(folder: Path, numbers: range, shape: tuple[int, int], bits: int) -> None:
    """Draw PNG files with the smoothness and the noise of radiographs."""
    from PIL import Image

    folder.mkdir()
    y, x = (axis / 60 for axis in np.indices(shape, np.float32))
    for number in numbers:
        noise = np.random.default_rng(number).normal(0, 0.01, shape)
        drawn = (0.5 + 0.35 * np.sin(x + number) * np.cos(y) + noise).clip(0, 1) * (2**bits - 1)
        Image.fromarray(drawn.astype(np.uint8 if bits == 8 else np.uint16)).save(folder / f"{number:03}.png")


_opened: dict[str, Any] = {}


def srexp_enhances(uri: str, _: str, folder: str, output: str) -> Callable[[], object]:
    """Prepare what `enhance` does to its files; the first time the model is loaded."""
    import srexp
    from srexp.experiment.restoration.folder_enhancement import FolderEnhancement, restorer_of
    from srexp.experiment.restoration.jobs import find_jobs

    if uri not in _opened:
        composed: Any = srexp.compose([f"model_uri={uri}", "input=.", "output=.", "runtime=auto"], "enhance")
        _opened[uri] = composed, restorer_of(composed)
        print(f"srexp: {_opened[uri][1].chosen.told()}", file=sys.stderr)
    first, restorer = _opened[uri]
    config = dataclasses.replace(first, input=folder, output=output)

    def work() -> None:
        jobs, outcome = find_jobs(config)
        FolderEnhancement(config, restorer).run(jobs, outcome, lambda *_: None)
        if outcome.failed or len(outcome.restored) != len(jobs):
            sys.exit(f"not all were restored: {outcome.failed}")

    return work


def by_hand(runtime: str, uri: str, exported: str, folder: str, output: str) -> Callable[[], object]:
    """Prepare a loop over the files of a folder."""
    from PIL import Image

    if uri not in _opened:
        _opened[uri] = opened(runtime, next(Path(exported).glob("*.onnx")))
    network, target = _opened[uri], Path(output)
    target.mkdir()

    def work() -> None:
        for path in sorted(Path(folder).iterdir()):
            stored = np.asarray(Image.open(path))
            white = np.float32(np.iinfo(stored.dtype).max)
            high = restored(network, stored.astype(np.float32) / white)
            Image.fromarray((high.clip(0, 1) * white + np.float32(0.5)).astype(stored.dtype)).save(target / path.name)

    return work


def opened(runtime: str, path: Path) -> Callable[[Any], Any]:
    """Open an ONNX file as a function of (1, h, w, 1)."""
    if runtime == "onnxruntime":
        import onnxruntime

        session = onnxruntime.InferenceSession(path)
        name = session.get_inputs()[0].name
        return lambda batch: session.run(None, {name: batch})[0]
    import openvino

    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda batch: compiled(batch)[0]


def restored(network: Callable[[Any], Any], low: Any, scale: int = 2) -> Any:
    """Restore an image (h, w), whole where it is small, in tiles with a border otherwise."""
    high = np.empty([scale * side for side in low.shape], np.float32)
    for top in range(0, low.shape[0], TILE):
        for left in range(0, low.shape[1], TILE):
            above, before = min(top, BORDER), min(left, BORDER)
            rows, columns = slice(top - above, top + TILE + BORDER), slice(left - before, left + TILE + BORDER)
            tile = network(np.ascontiguousarray(low[np.newaxis, rows, columns, np.newaxis]))[0, ..., 0]
            inner = high[scale * top : scale * (top + TILE), scale * left : scale * (left + TILE)]
            inner[:] = tile[scale * above :, scale * before :][: inner.shape[0], : inner.shape[1]]
    return high


def write(rows: list[str]) -> None:
    """Put the table between its marks in the docs, with how it was measured."""
    from tests.benchmarks.ratios.table import conditions

    about = conditions(shlex.join(["python", "tests/benchmarks/bench_by_hand.py", *sys.argv[1:]]))
    text = RESULTS.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    RESULTS.write_text(f"{before}{BEGIN}\n\n" + "\n".join(rows) + f"\n\n`{about}`\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    main()
