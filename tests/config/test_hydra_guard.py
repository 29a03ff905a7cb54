"""A configuration that somebody else wrote chooses among srexp's parts; it runs nothing of its own.

Each preset here would make a folder if what it names were called.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import srexp
from srexp.cli import run
from srexp.errors import RequestError

HOSTILE = {
    "callback": "hydra: {callbacks: {mine: {_target_: os.mkdir, path: TRACE}}}",
    "callback by interpolation": "tags: {_target_: os.mkdir, path: TRACE}\nhydra: {callbacks: {mine: '${tags}'}}",
    "callback by resolver": "hydra: {callbacks: {mine: '${oc.create:{_target_: os.mkdir, path: TRACE}}'}}",
    "callback replaced": "hydra: {callbacks: {sweep_folder: {_target_: os.mkdir, path: TRACE}}}",
    "handler by class": "hydra: {job_logging: {handlers: {file: {class: os.mkdir, path: TRACE}}}}",
    "handler by factory": "hydra: {job_logging: {handlers: {file: {(): os.mkdir, path: TRACE}}}}",
    "handler by interpolation": "run_name: os.mkdir\n"
    "hydra: {job_logging: {handlers: {mine: {class: '${run_name}', path: TRACE}}, root: {handlers: [mine]}}}",
    "handlers by interpolation": "tags: {(): os.mkdir, path: TRACE}\n"
    "hydra: {job_logging: {handlers: {mine: '${tags}'}, root: {handlers: [mine]}}}",
    "handler by ext": "hydra: {job_logging: {handlers: {console: {stream: 'ext://antigravity.webbrowser'}}}}",
    "formatter": "hydra: {job_logging: {formatters: {simple: {(): os.mkdir, path: TRACE}}}}",
    "filter": "hydra: {hydra_logging: {filters: {mine: {(): os.mkdir, path: TRACE}}}}",
    "handler below logging": "hydra: {job_logging: {handlers: {file: {class: logging.os.mkdir, path: TRACE}}}}",
    "argument of the launcher": "hydra: {launcher: {mine: {_target_: os.mkdir, path: TRACE}}}",
    "argument of the sweeper": "hydra: {sweeper: {params: {mine: {_target_: os.mkdir, path: TRACE}}}}",
    "sweeper": "hydra: {sweeper: {_target_: os.mkdir, path: TRACE}}",
    "environment": "hydra: {job: {env_set: {LD_PRELOAD: TRACE/mine.so}}}",
    "target": "model: {_target_: os.mkdir, path: TRACE}",
    "target by interpolation": "run_name: os.mkdir\nmodel: {_target_: '${run_name}'}",
    "target by resolver": "model: {_target_: '${oc.decode:os.mkdir}'}",
    "target from the environment": "model: {_target_: '${oc.env:NAMED_TARGET}'}",
    "nested target": "model: {kernels: {_target_: os.mkdir, path: TRACE}}",
    "target in a list": "model: {kernels: [{_target_: os.mkdir, path: TRACE}]}",
    "extension": "extensions: [os]\nmodel: {_target_: os.mkdir, path: TRACE}",
    "own function": "model: {_target_: srexp.system.child_process.run_server, command: [mkdir, TRACE],"
    " environment: {}}",
    "imported function": "tracking: {_target_: srexp.tracking.runs.environment.sys.exit}",
    "YAML object": "run_name: !!python/object/apply:os.mkdir [TRACE]",
    "YAML module": "run_name: !!python/module:antigravity",
}


@pytest.fixture
def trace(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))
    monkeypatch.setenv("NAMED_TARGET", "os.mkdir")
    return tmp_path / "trace"


def preset(trace: Path, text: str) -> list[str]:
    folder = trace.parent / "presets" / "experiment"
    folder.mkdir(parents=True)
    (folder / "hostile.yaml").write_text(f"# @package _global_\n{text.replace('TRACE', str(trace))}\n")
    return ["+experiment=hostile", f"hydra.searchpath=[file://{folder.parent}]"]


@pytest.mark.parametrize("multirun", [False, True], ids=["run", "multirun"])
@pytest.mark.parametrize("case", HOSTILE)
def test_a_preset_runs_no_code(case: str, multirun: bool, trace: Path, capfd) -> None:
    arguments = ["check", *preset(trace, HOSTILE[case]), f"hydra.run.dir={trace.parent}/out"]
    code = run(["-m", *arguments, "seed=1", f"hydra.sweep.dir={trace.parent}/sweep"] if multirun else arguments)
    assert not trace.exists()
    assert code == 2
    said = capfd.readouterr().err
    assert "srexp: " in said
    assert "Traceback" not in said


@pytest.mark.parametrize("case", [name for name in HOSTILE if not name.startswith(("argument of the", "sweeper"))])
def test_a_notebook_runs_no_code_either(case: str, trace: Path) -> None:
    try:
        srexp.run("check", [*preset(trace, HOSTILE[case]), f"hydra.run.dir={trace.parent}/out"])
    except RequestError:
        pass
    else:
        assert "hydra:" in HOSTILE[case]  # of that section Python takes the output folder only
    assert not trace.exists()


@pytest.mark.parametrize(
    "typed",
    [
        "+hydra.callbacks.mine._target_=os.mkdir",
        "+hydra.launcher.mine={_target_:os.mkdir,path:TRACE}",
        "hydra.job_logging.handlers.file.class=os.mkdir",
        "--experimental-rerun=TRACE",
    ],
)
def test_typed_keys_run_no_code_either(typed: str, trace: Path, capfd) -> None:
    typed = typed.replace("TRACE", str(trace))
    assert run(["check", typed, f"hydra.run.dir={trace.parent}/out"]) == 2
    assert "srexp: " in capfd.readouterr().err
    assert not trace.exists()


def test_what_is_typed_may_set_the_environment_and_name_extensions(trace: Path) -> None:
    assert run(["check", "+hydra.job.env_set.SREXP_TYPED=1", f"hydra.run.dir={trace.parent}/out"]) == 0
    typed = ["extensions=[fractions]", "model._target_=fractions.Fraction"]
    assert srexp.compose(typed).model.target == "fractions.Fraction"
    with pytest.raises(RequestError, match="extensions are named by a file"):
        srexp.compose(preset(trace, "extensions: [fractions]"))


def test_logging_may_be_arranged_without_code(trace: Path) -> None:
    text = "hydra: {job_logging: {handlers: {file: {class: logging.handlers.RotatingFileHandler, maxBytes: 1000}}}}"
    assert run(["check", *preset(trace, text), f"hydra.run.dir={trace.parent}/out"]) == 0
