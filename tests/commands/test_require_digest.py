"""A model is the one whose digest was asked for, or it isn't loaded."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

import srexp
from srexp.cli import run
from srexp.commands import promote
from srexp.config.sections.verbs import VERB_CONFIGS
from srexp.errors import RequestError
from srexp.system.files.digests import sha256
from srexp.tracking.registry import models
from srexp.tracking.store.addresses import Found
from srexp.tracking.store.store import resolve

ANOTHER = f"sha256:{'0' * 64}"
CAREFUL = [verb for verb, kind in VERB_CONFIGS.items() if "require_digest" in map(attrgetter("name"), fields(kind))]


@pytest.fixture(autouse=True)
def _project(champion, monkeypatch):
    monkeypatch.setenv("SREXP_ROOT", str(champion.root))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def network(root: Path) -> Path:
    [path] = root.rglob("model.keras")
    return path


@pytest.mark.slow
def test_verbs_that_are_given_a_model_by_its_address_can_require_its_digest():
    given = {verb for verb, kind in VERB_CONFIGS.items() if "model_uri" in map(attrgetter("name"), fields(kind))}
    assert set(CAREFUL) == given == {"evaluate", "export", "enhance", "serve"}


REFUSED = [
    ("enhance", "models:/task-bicubic-x2@champion"),
    ("evaluate", "models:/task-bicubic-x2/1"),
    ("serve", "FILE"),
]
REFUSED += [("export", "FILE"), ("enhance", "bicubic"), ("evaluate", "lanczos")]


@pytest.mark.parametrize(("verb", "uri"), REFUSED)
def test_another_model_is_refused_before_it_is_loaded(verb, uri, image, capfd, monkeypatch):
    folder = image.parent
    (folder / "damaged.keras").write_bytes(b"what loading it would complain about")
    monkeypatch.setattr(models, "require_plain", lambda *_: pytest.fail("the file was looked into"))
    words = [f"input={image}"] if verb == "enhance" else []
    words += [f"output={folder}/out"] if verb in ("enhance", "export") else []
    words += [f"model_uri={uri.replace('FILE', f'{folder}/damaged.keras')}", f"require_digest={ANOTHER}"]
    assert run([verb, *words, f"hydra.run.dir={folder}/run"]) == 2
    said = capfd.readouterr().err
    assert "is not the model that require_digest names, and was not loaded" in said
    assert ANOTHER in said
    assert ("an interpolation, which is no file" if "/" not in uri + "/" * (uri == "FILE") else "'sha256:") in said
    assert not (folder / "out").exists()


@pytest.mark.parametrize("wrong", ["0" * 64, "sha256:0", f"sha256:{'G' * 64}", f"md5:{'0' * 32}"])
def test_what_is_no_digest_is_refused_before_anything_is_looked_up(wrong):
    with pytest.raises(RequestError, match="require_digest"):
        srexp.compose(["model_uri=nothing", f"require_digest={wrong}"], verb="serve")


def test_registry_and_result_say_the_digest_of_the_model_and_with_it_it_is_used(champion, image, tmp_path, capfd):
    [listed] = srexp.run("models")["models"]
    assert listed["digest"] == f"sha256:{sha256(network(champion.root))}"
    words = [f"model_uri={champion.uri}", f"require_digest={listed['digest']}", f"output={tmp_path}/out"]
    assert run(["enhance", f"input={image}", *words, f"hydra.run.dir={tmp_path}/run"]) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert f"sha256:{result['model']['sha256']}" == listed["digest"]
    assert [path for path in tmp_path.rglob("*") if path != image and path.stat().st_mode & 0o077] == []


def test_a_file_that_is_exchanged_while_it_is_loaded_stays_what_was_looked_at(champion, tmp_path, monkeypatch):
    file = tmp_path / "model.keras"
    shutil.copy(network(champion.root), file)
    look = models.require_plain
    monkeypatch.setattr(models, "require_plain", lambda path, uri: (file.write_bytes(b"another"), look(path, uri)))
    loaded = models.load(resolve(None, tmp_path, environ={}), str(file))
    assert loaded.digest == f"sha256:{sha256(network(champion.root))}"
    assert loaded.model.input_shape == (None, None, None, 1)


@pytest.mark.system
@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen, of OpenSSH")
@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum, of coreutils")
def test_an_exported_model_is_signed_and_verified_as_security_md_says(tmp_path):
    """The lines of SECURITY.md, with a key of the test's own; a file that was changed since doesn't pass."""
    folder = tmp_path / "exported"
    srexp.run("export", ["model_uri=models:/task-bicubic-x2@champion", f"output={folder}"])
    page = (Path(__file__).parents[2] / "SECURITY.md").read_text()
    block = page.split("```sh\n")[1].split("```")[0].replace("\\\n", " ")
    make, sign, trust, verify = [line for line in block.splitlines() if line and not line.startswith("#")]

    def typed(line: str) -> int:
        return subprocess.run(["sh", "-c", line], cwd=tmp_path, check=False, capture_output=True).returncode

    assert [typed(line) for line in (make.replace("-f", "-N '' -f"), sign, trust, verify)] == [0, 0, 0, 0]
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"more")
    assert typed(verify) != 0


def test_a_version_of_unknown_training_is_not_promoted():
    for run_id, tags in ((None, {"data.fingerprint": "f00"}), ("a" * 32, {})):
        with pytest.raises(RequestError, match=r"models:/mine/3 doesn't say which run trained it on which data"):
            promote._task(Mock(), Mock(), Found("models:/mine/3", run_id=run_id), tags)
