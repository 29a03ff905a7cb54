"""Every verb with each of Hydra's own options: it works, or one message says why not."""

from __future__ import annotations

import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig

import srexp
from srexp import cli
from srexp.config.frozen_files import frozen
from srexp.config.hydra_adapter import composed
from srexp.config.hydra_messages import writable
from srexp.config.sections.base import Config
from srexp.errors import RequestError

#: What follows a verb, to what is shown; None where it is refused.
OPTIONS = {
    "--help": "Exit codes",
    "-h --resolve": "Exit codes",
    "--hydra-help": "--config-dir",
    "--version": "srexp ",
    "--cfg job": "verb: ",
    "--cfg hydra": "sweeper:",
    "--cfg all --resolve": "hydra:",
    "-c job --package optimizer": "lr: ",
    "-c job -p nothing": None,
    "--info": "Config search path",
    "--info config": "optimizer:",
    "-i defaults": "Defaults List",
    "--info defaults-tree": "Defaults Tree",
    "--info plugins": "Plugins",
    "--info searchpath": "search path",
    "--resolve": None,
    "--package optimizer": None,
    "--cfg hydra --resolve": "sweeper:",
    "--cfg hydra --resolve -p hydra.run.dir": "outputs",
    "--cfg job -p hydra.run": None,
    "--cfg hydra -p optimizer": None,
    "--cfg hydra -p hydra.run": "dir: ",
    "--cfg job --resolve -p paths.cache": "cache",
    "--cfg job -p _global_": "verb: ",
    "--config-dir= --cfg job": None,
    "--cfg nothing": None,
    "--nothing": None,
    "--run": "",
    "-m seed=1,2": "",
    "-m --cfg job": None,
    "--run --multirun": None,
    "-sc install=bash": "complete ",
    "-sc uninstall=fish": "complete ",
    "-sc install=nothing": None,
    "-sc": None,
    "-sc query=bash": None,
    "--config-dir nowhere": None,
    "--config-dir ~nobody/data": None,
    "--config-dir ~/data": "",
    "--config-dir data": "",
    "--config-dir=data -cd data": None,
    "hydra.searchpath=[file://data]": None,
    "-m seed=1,2 ++hydra.searchpath=[]": None,
    "hydra.sweeper.params.seed=1": None,
    "-cn nothing": None,
    "--config-path nowhere": None,
    "--experimental-rerun pickle": None,
    "check data": None,
    # Twice
    "--cfg job --cfg hydra": None,
    "-c job -c job": None,
    "-c job -p optimizer -p model": None,
    "--info --info config": None,
    "-cn train -cn train": None,
    "--cfg job --resolve --resolve": "verb: ",
    "-m -m seed=1,2": "",
    "-h --version -h": "srexp ",
    # One beside another
    "--cfg job --info": None,
    "-mc job": None,
    "--info -m seed=1,2": None,
    "-cjob": "verb: ",
}
#: What has to be given to a verb, besides.
NEEDED = {
    "enhance": ["model_uri=bicubic", "input=x", "output=y"],
    "export": ["model_uri=x"],
    "serve": ["model_uri=bicubic"],
    "promote": ["name=x", "version=1"],
}


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder named like a verb; nothing that a verb would do is done."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("COMP_LINE", raising=False)
    monkeypatch.setattr(cli, "execute", lambda config: {"seed": config.seed, "model": config.model.name})
    monkeypatch.setattr(cli, "LIGHT", set(cli.VERBS))


@pytest.mark.slow
@pytest.mark.parametrize("verb", cli.VERBS)
def test_a_verb_takes_every_option_of_hydra_or_says_why_not(verb: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Each option is tried with a third of the verbs, behind some and before others; for `train` all are."""
    first = list(cli.VERBS).index(verb)
    for place, (typed, shown) in enumerate(OPTIONS.items()):
        if verb != "train" and (place + first) % 3:
            continue
        words = [*NEEDED.get(verb, []), *typed.split()]
        code = cli.run([verb, *words] if (place + first) % 2 else [*words, verb])
        caught = capfd.readouterr()
        assert "Traceback" not in caught.err + caught.out, typed
        if shown is None:
            assert (code, caught.err.startswith("srexp: "), caught.err.count("srexp: ")) == (2, True, 1), typed
        else:
            assert (code, caught.err, shown in caught.out) == (0, "", True), typed


def test_every_option_of_hydra_is_tried() -> None:
    tried = {word.partition("=")[0] for typed in OPTIONS for word in typed.split()}
    options = [each.option_strings for each in get_args_parser()._actions if each.option_strings]
    assert len(options) > 10
    assert [names for names in options if not tried & set(names)] == []


@pytest.mark.parametrize("place", ["/proc/1/root", "x" * 300, "loop", "dangling", "file", ""])
def test_what_is_no_folder_is_no_folder_of_presets(
    place: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").touch()
    assert cli.run(["check", f"--config-dir={place}"]) == 2
    assert capfd.readouterr().err.startswith("srexp: --config-dir is no folder")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a: [1\n", "mine.yaml can't be read"),
        ("# @package _global_\nscale: 3\nscale: 4\n", "found duplicate key scale"),
        ("# @package _global_\nrun_name: \x00\n", "mine.yaml can't be read"),
        ("# @package _global_\ndefaults: [mine]\n", "chooses itself"),
        ("# @package _global_\ndefaults: [other]\n", "chooses itself"),
        (None, "experiment=mine does not exist"),
    ],
    ids=["no end", "twice", "control character", "circle", "circle of two", "circle of links"],
)
def test_a_preset_that_cannot_be_read_is_named(
    written: str | None, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data" / "experiment"
    folder.mkdir()
    (folder / "other.yaml").write_text("# @package _global_\ndefaults: [mine]\n")
    if written is None:
        (folder / "mine.yaml").symlink_to("mine.yaml")
    else:
        (folder / "mine.yaml").write_text(written)
    assert cli.run(["check", "--config-dir=data", "+experiment=mine"]) == 2
    told = capfd.readouterr().err
    assert said in told
    assert told.count("srexp: ") == 1


def test_a_preset_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    preset = tmp_path / "data" / "experiment" / "mine.yaml"
    preset.parent.mkdir()
    preset.write_text("# @package _global_\nscale: 3\n", encoding="utf-8-sig")
    assert cli.run(["check", "--config-dir=data", "+experiment=mine"]) == 0


def test_the_folder_beside_belongs_to_what_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Config] = []
    monkeypatch.setattr(cli, "execute", lambda config: seen.append(config) or {})
    assert cli.run(["check", "--config-dir=data", "seed=3"]) == 0
    assert cli.run(["check", "seed=3"]) == 0
    assert [each.typed for each in seen] == [[f"--config-dir={tmp_path}/data", "seed=3"], ["seed=3"]]


@pytest.mark.parametrize("typed", [["seed=1,2"], []])
@pytest.mark.slow
def test_a_preset_may_ask_for_a_multirun(typed: list[str], tmp_path: Path) -> None:
    preset = tmp_path / "data" / "experiment" / "several.yaml"
    preset.parent.mkdir()
    preset.write_text("# @package _global_\nhydra:\n  mode: MULTIRUN\n  sweeper: {params: {scale: '2,3'}}\n")
    sweep = f"hydra.sweep.dir={tmp_path}/sweep"
    assert cli.run(["check", "--config-dir=data", "+experiment=several", sweep, *typed]) == 0
    assert len(list((tmp_path / "sweep").glob("*/job.json"))) == (4 if typed else 2)


def test_several_values_without_a_multirun_are_refused_with_the_way_out(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["model=[srcnn, vdsr]"]) == 2
    assert "fix:      -m model=srcnn,vdsr" in capfd.readouterr().err
    assert cli.run(["model=srcnn,vdsr"]) == 2
    assert "add -m" in capfd.readouterr().err


def test_several_presets_may_be_chosen() -> None:
    assert composed("train", ["+experiment=[vdsr_samples,cxr_x2]"]).model.name == "vdsr"


@pytest.mark.parametrize(
    "kind",
    ["hydra.run.dir=/proc/nowhere", "hydra.run.dir=file/run", "loop", "long", "sweep", "long sweep"],
)
def test_a_folder_that_cannot_be_written_is_named(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    typed = {
        "loop": ["hydra.run.dir=loop/file"],
        "long": [f"hydra.run.dir={'x' * 300}"],
        "sweep": ["-m", "seed=1,2", "hydra.sweep.dir=file/sweep"],
        "long sweep": ["-m", "seed=1,2", f"hydra.sweep.dir={'x' * 300}"],
    }
    assert cli.run(["check", *typed.get(kind, [kind])]) == 2
    said = capfd.readouterr().err.partition("srexp: ")[2]
    assert said.startswith("the folder of the run can't be written")
    assert "Traceback" not in said
    assert (
        "loop"
        if "loop" in kind
        else "file"
        if "file" in kind or kind == "sweep"
        else "proc"
        if "proc" in kind
        else "xxx"
    ) in said


@pytest.mark.parametrize("typed", [[], ["-m", "seed=1,2"]])
@pytest.mark.slow
def test_jobs_and_what_they_send_elsewhere_compose_from_the_folder_beside(
    typed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = tmp_path / "data" / "experiment" / "mine.yaml"
    preset.parent.mkdir()
    preset.write_text("# @package _global_\nscale: 3\n")
    found, places = tmp_path / "found", [f"hydra.run.dir={tmp_path}/run", f"hydra.sweep.dir={tmp_path}/sweep"]

    def job(config: Config) -> dict[str, Any]:
        with frozen() as files:
            sent = pickle.dumps(files)
        monkeypatch.chdir("/")
        with ThreadPoolExecutor() as other, found.open("a") as file:  # knows nothing of this one, as a worker
            for each in (composed("train", ["+experiment=mine"]), other.submit(_composed_from, sent).result()):
                file.write(f"{each.scale}\n")
        return {"seed": config.seed}

    monkeypatch.setattr(cli, "execute", job)
    assert cli.run(["check", "--config-dir=data", *places, *typed]) == 0
    assert found.read_text().split() == ["3"] * (4 if typed else 2)
    with pytest.raises(RequestError, match="experiment=mine does not exist"):
        composed("train", ["+experiment=mine"])


def _composed_from(sent: bytes) -> DictConfig:
    with frozen(pickle.loads(sent)):
        return composed("train", ["+experiment=mine"])


def test_what_no_folder_causes_passes() -> None:
    with pytest.raises(ValueError, match="other"), writable("hydra.run.dir"):
        raise ValueError("other")


def test_an_application_of_hydra_around_it_goes_on() -> None:
    from hydra import compose, initialize_config_dir

    conf = str(Path(cli.__file__).parents[1] / "conf")
    with initialize_config_dir(conf, version_base="1.3"):
        srexp.compose(["model=vdsr"])
        assert compose("train", ["seed=7"]).seed == 7


@pytest.mark.slow
def test_threads_compose_and_run_side_by_side() -> None:
    found: dict[int, object] = {}

    def work(seed: int) -> None:
        try:
            result = srexp.run("check", [f"seed={seed}", f"model={('srcnn', 'vdsr')[seed % 2]}"])
            found[seed] = (result["seed"], result["model"], srexp.compose([]).seed)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            found[seed] = error

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {seed: (seed, ("srcnn", "vdsr")[seed % 2], 1) for seed in range(4)}


def test_threads_train_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    working, most = [], []

    def work(config: object) -> dict[str, object]:
        working.append(config)
        most.append(len(working))
        time.sleep(0.05)
        working.pop()
        return {}

    monkeypatch.setattr(cli, "execute", work)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(srexp.run, ["train", "train", "train"]))
    assert most == [1, 1, 1]
