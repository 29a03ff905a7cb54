"""How long a 2500 x 2048 radiograph takes through VDSR x2, and how much memory: 5000 x 4096 pixels come out.

    python tests/benchmarks/bench_enhance.py [--memory-mb 1536 800] [--model vdsr] [--rows 2500] [--columns 2048]

The network has its initial weights, which take as long as any others, and is a registered model, so that MLflow is
loaded as it is in use. Each setting runs as the command that a user types, in a process of its own; the peak is its
largest resident memory. On two cores each takes some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
NAME = "bench"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory-mb", type=int, nargs="+", default=[1536, 800])
    parser.add_argument("--model", default="vdsr")
    parser.add_argument("--rows", type=int, default=2500)
    parser.add_argument("--columns", type=int, default=2048)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        environment = {**os.environ, "SREXP_ROOT": scratch, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment.pop("MLFLOW_TRACKING_URI", None)
        subprocess.run(
            [sys.executable, __file__, "--model", options.model], check=True, env={**environment, "REGISTER": "1"}
        )
        write(folder / "in.dcm", options.rows, options.columns)
        for memory_mb in options.memory_mb:
            measure(folder, environment, memory_mb)


def register(model: str) -> None:
    """Put an untrained network into the registry of SREXP_ROOT."""
    from srexp.config.builders import build
    from srexp.config.compose import compose
    from srexp.tracking.registry import registry

    config = compose("check", [f"model={model}"])[0]
    network = build(config.model, scale=2, channels=1)
    with build(config.tracking, folder=config.paths.root).run(NAME) as run:
        uri = registry.log_best(run, network, channels=1, step=1, metrics={})
        registry.register(run, uri, NAME, tags={})


def write(path: Path, rows: int, columns: int) -> None:
    """Store a 12-bit picture with the contrast and the noise of a radiograph."""
    import pydicom
    from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

    y, x = np.indices((rows, columns), np.float32) / 500
    values = 2000 + 1500 * np.sin(3 * x) * np.cos(2 * y) + np.random.default_rng(1).normal(0, 20, (rows, columns))
    image = pydicom.Dataset()
    image.file_meta = pydicom.dataset.FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = ComputedRadiographyImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
    image.SeriesInstanceUID, image.StudyInstanceUID, image.Modality = generate_uid(), generate_uid(), "CR"
    image.Rows, image.Columns, image.SamplesPerPixel = rows, columns, 1
    image.PhotometricInterpretation, image.PixelRepresentation = "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelData = values.clip(0, 4095).astype("<u2").tobytes()
    image.save_as(path, enforce_file_format=True)


def measure(folder: Path, environment: dict[str, str], memory_mb: int) -> None:
    """Run the command; print time, peak, and what the command says of itself."""
    run_dir = folder / f"run{memory_mb}"
    command = [sys.executable, "-m", "srexp", "enhance", f"model_uri=models:/{NAME}@candidate"]
    command += [f"input={folder / 'in.dcm'}", f"output={folder / f'out{memory_mb}'}", f"memory_mb={memory_mb}"]
    subprocess.run([*command, f"hydra.run.dir={run_dir}"], check=True, env=environment, stdout=subprocess.DEVNULL)
    result = json.loads((run_dir / "result.json").read_text())
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # of all children so far
    print(
        f"memory_mb={memory_mb}: {result['seconds']['files']:.0f} s, {result['seconds']['total']:.0f} s with loading; "
        f"peak {result['peak_rss_mb']:.0f} MiB (largest of all runs {largest:.0f})",
        flush=True,
    )


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    if "REGISTER" in os.environ:
        register(sys.argv[-1])
    else:
        main()
