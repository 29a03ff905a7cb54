"""Commands that really run: neither what they write nor what they start has a secret."""

from __future__ import annotations

import base64
import importlib
import importlib.util
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srexp.cli import run
from srexp.config.override_grammar import override
from tests.stories.secrets.planted import ADDRESSES, RESERVED, Watched, password


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number in range(4):
        Image.fromarray(rng.integers(0, 256, (64, 64), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


TRAINED = ["+debug=fast", "dataset=folder", "trainer.patch_size=16", "tracking.wait_seconds=1"]
AWAY = [override("tracking.uri", ADDRESSES["reserved"]), override("run_name", ADDRESSES["quotes"])]


@pytest.mark.slow
def test_a_server_that_is_away_leaves_no_password(images: Path, watched: Watched) -> None:
    """Journal, results, logs, checkpoints; then the address of its store is asked for again."""
    with watched.looked_at():
        assert run([*TRAINED, *AWAY, f"dataset.root={images}"]) == 0
        assert run(["runs", "sync=true", *AWAY]) == 1
    assert watched.leaks() == []


@pytest.mark.slow
def test_processes_of_commands_have_no_secret(images: Path, watched: Watched) -> None:
    """Jobs of a multirun and workers of a search are processes, which are told what they need through pipes."""
    words = [*TRAINED, f"dataset.root={images}"]
    store = f"sqlite:///{watched.folder}/runs.db?timeout=60&secret={password('-')}"
    with watched.looked_at():
        assert run(["-m", "seed=1,2", *words, *AWAY]) == 0
        assert run(["search", "+sweeps=srcnn_tpe", "search.trials=1", *words, override("run_name", store)]) == 0
        run(["search", "+sweeps=srcnn_tpe", *words, override("search.storage", ADDRESSES["encoded"])])
    assert len(watched.commands) > 2
    assert watched.leaks() == []


@pytest.mark.slow
@pytest.mark.parametrize("form", ["encoded", "quotes", "query"])
def test_a_database_that_is_away_lets_no_secret_out(form: str, images: Path, watched: Watched) -> None:
    """What libraries say of an address that they read, or misread, in the end."""
    for words in (
        ["runs", override("tracking.uri", ADDRESSES[form])],
        [
            "search",
            "+sweeps=srcnn_tpe",
            *TRAINED,
            f"dataset.root={images}",
            override("search.storage", ADDRESSES[form]),
        ],
    ):
        assert run(words) in (1, 2), words
        assert watched.leaks() == [], words


@pytest.fixture
def asked() -> Iterator[tuple[int, list[str]]]:
    """A tracking server that knows nothing, by its port, and who came to it."""
    came: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came.append(base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode())
            self.send_error(404)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], came
        server.shutdown()


@pytest.fixture(
    params=[
        ["joblib", "hydra.launcher.n_jobs=2"],
        ["submitit_local", "hydra.launcher.timeout_min=5"],
        ["ray"],
    ],
    ids=" ".join,
)
def launcher(request, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    kind, *settings = request.param
    plugin = f"hydra_plugins.hydra_{kind.partition('_')[0]}_launcher"
    if importlib.util.find_spec(plugin) is None:
        pytest.skip(f"{plugin} isn't installed")
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # the paths of Ray's sockets have to be so
        Path(short, "r").symlink_to(watched.folder / "temporary")
        monkeypatch.setenv("RAY_TMPDIR", f"{short}/r")
        yield [f"hydra/launcher={kind}", *settings]
        if kind == "ray":
            importlib.import_module("ray").shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Ray's processes outlive their Popen
def test_a_launcher_takes_the_secret_to_its_jobs_and_leaves_it_nowhere(launcher, asked, watched) -> None:
    port, came = asked
    address = f"http://ann:{password(RESERVED)}@127.0.0.1:{port}"
    with watched.looked_at():
        run(["-m", "runs", *launcher, "seed=1,2", override("tracking.uri", address)])
    assert set(came) == {f"ann:{password(RESERVED)}"}
    assert watched.leaks() == []
