"""Settings of Keras that a user's home folder or environment has decide no number of srexp."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import srexp
from srexp.errors import RequestError
from srexp.system.keras_settings import WANTED, settle

PRINT = (
    "import json, sys; from pathlib import Path; from srexp.system.keras_settings import WANTED, settle\n"
    "settle(Path(sys.argv[1])); import keras\n"
    "print(json.dumps({name: getattr(keras.config, name)() for name in WANTED}))"
)


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.parametrize("home", ["HOME", "KERAS_HOME"])
def test_what_a_home_folder_says_of_keras_is_not_heard(home: str, tmp_path: Path) -> None:
    folder = tmp_path / ".keras" if home == "HOME" else tmp_path
    folder.mkdir(exist_ok=True)
    planted = {"floatx": "float16", "image_data_format": "channels_first", "backend": "jax", "epsilon": 1e-2}
    (folder / "keras.json").write_text(json.dumps(planted))
    environment = {**os.environ, home: str(tmp_path), "KERAS_MAX_EPOCHS": "1", "KERAS_BACKEND": "jax"}
    if home == "HOME":
        environment.pop("KERAS_HOME", None)
    done = subprocess.run(
        [sys.executable, "-c", PRINT, str(tmp_path / "own")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == WANTED


def test_a_keras_that_was_set_otherwise_is_refused_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    settle(tmp_path)
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(RequestError, match="channels_first"):
            srexp.run("check")
    finally:
        keras.config.set_image_data_format("channels_last")
    assert os.environ["KERAS_HOME"] == str(tmp_path)
