"""A store with a champion, small enough to be made in a moment: nothing is trained."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

NAME = "task-bicubic-x2"


@dataclass(frozen=True)
class Served:
    """A folder of runs, and the model in its store."""

    root: Path
    model: object
    uri: str = f"models:/{NAME}@champion"

    def environment(self) -> dict[str, str]:
        checkout = str(Path(__file__).parents[2])
        return {**os.environ, "SREXP_ROOT": str(self.root), "PYTHONPATH": checkout}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "srexp", *arguments],
            env=self.environment(),
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def expected(self, low):
        """What the model itself makes of an image (h, w) in [0, 1]."""
        return np.asarray(self.model(low[np.newaxis, ..., np.newaxis].astype(np.float32), training=False))[0, ..., 0]


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Served:
    from srexp.models import srcnn
    from srexp.tracking import registry
    from srexp.tracking.start import Tracking

    root = tmp_path_factory.mktemp("champion")
    model = srcnn.build(2, 1, kernels=[9, 5, 5], filters=[8, 6])
    rng = np.random.default_rng(0)
    weights = [array + rng.normal(0, 1e-3, array.shape) for array in model.get_weights()]
    model.set_weights(weights)
    known = {"task": NAME, "data.fingerprint": "f1n9e4", "test_psnr": 43.21, "protocol": {"shave": 2}, "model": "srcnn"}
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracking = Tracking(folder=root / "mlruns", system_metrics=False)
        with tracking.run(NAME, tags={"task": NAME}) as run:
            run.log_config({"dataset": {"_target_": "srexp.data.samples.Samples"}, "degradation": {"name": "worn"}}, "")
            uri = registry.log_best(run, model, channels=1, step=1, metrics={"test_psnr": 43.21})
            registry.register(run, uri, NAME, tags=known, alias="champion")
    return Served(root, model)
