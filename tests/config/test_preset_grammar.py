"""A configuration that somebody else wrote chooses among srexp's parts; it runs nothing of its own.

Each preset here would make a folder if what it names were called.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from omegaconf.errors import OmegaConfBaseException

import srexp
from srexp import cli
from srexp.cli import run
from srexp.config.compose import compose
from srexp.config.paths import config_home
from srexp.config.preset_grammar import JudgedFiles, Written
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
    "overrides filled in": "hydra: {overrides: {task: ['extensions=[os]']}}\nextensions: [os]\n"
    "model: {_target_: os.mkdir, path: TRACE}",
    "handler of a later moment": "tags: {nx: logging.FileHandler, n0: psutil.Popen}\n"
    "hydra: {job_logging: {handlers: {mine: {class: '${oc.select:tags.n${oc.select:hydra.job.num,x}}',"
    " args: [mkdir, TRACE]}},"
    " root: {handlers: [mine]}}}",
    "environment of a later moment": "hydra: {job: {env_set: {LD_PRELOAD: '${hydra.runtime.output_dir}'}}}",
    "environment copied": "hydra: {job: {env_copy: [NAMED_TARGET]}}",
    "line for Slurm": "defaults: [{override /hydra/launcher: submitit_slurm}]\n"
    'hydra: {launcher: {comment: "a\\nmkdir TRACE"}}',
    "line for Slurm by a folder": 'paths: {outputs: "a\\nmkdir TRACE"}',
    "shell of Slurm": "defaults: [{override /hydra/launcher: submitit_slurm}]\n"
    "hydra: {launcher: {setup: [mkdir TRACE]}}",
    "package for Ray": "hydra: {launcher: {ray: {init: {runtime_env: {pip: [mine]}}}}}",
    "cluster of Ray": "hydra: {launcher: {ray: {init: {address: 'example.org:6379'}}}}",
    "extension swept": "hydra: {mode: MULTIRUN, sweeper: {params: {extensions: '[os]'}}}",
    "log swept": "hydra: {mode: MULTIRUN, sweeper: {params: {hydra.job_logging.handlers.file.class: os.mkdir}}}",
    "folders of packages": "hydra: {searchpath: ['pkg://mine']}",
    "sweeper chosen": "defaults: [{override hydra/sweeper: mine}]",
    "file elsewhere": "defaults: [{model: ../../mine}]",
    "root elsewhere": "defaults: [/mine]",
    "environment in a name": "run_name: '${oc.env:NAMED_TARGET}'",
    "environment in a search": "search: {space: {model: {choices: ['\\${oc.env:NAMED_TARGET}']}}}",
    "another verb": "verb: promote",
    "server for all": "host: 0.0.0.0",
    "server by another name": "hosts: [rebound.example]",
    "server for foreign pages": "origins: ['https://evil.example']",
    "names of patients": "names: true",
    "promotion by force": "force: true",
    "files for all": "paths: {shared: true}",
    "files for all by interpolation": "tags: {a: 'true'}\npaths: {shared: '${tags.a}'}",
    "files for all swept": "hydra: {mode: MULTIRUN, sweeper: {params: {paths.shared: 'true'}}}",
    "files for all swept as a mapping": "hydra: {mode: MULTIRUN, sweeper: {params: {paths: '{shared: true}'}}}",
    "aliases": "tags: &a {x: y}\nmodel: *a",
    "depth": f"tags: {'[' * 1000}",
    "no mapping": "[a]",
    "defaults of a mapping": "defaults: {model: vdsr}",
    "defaults without a name": "defaults: [{}]",
    "defaults of numbers": "defaults: [{model: 1}]",
    "two defaults in one": "defaults: [{model: vdsr, loss: l1}]",
    "direction of writing": 'tags: {a: "\\u202eb"}',
    "half an interpolation": "tags: {a: '${.a'}",
    "number without end": f"seed: {'1' * 5000}",
    "number of a tag": "seed: !!int x",
    "size": f"tags: {{x: {'y' * 100_000}}}",
    "YAML object": "run_name: !!python/object/apply:os.mkdir [TRACE]",
    "YAML module": "run_name: !!python/module:antigravity",
}
#: What presets are for.
PLAIN = [
    "",
    "defaults: [{override /model: vdsr}, {override /hydra/launcher: basic}]\ntags: {site: a b}\ntrainer: {epochs: 3}",
    "run_name: a_${model.name}\noptimizer: {lr: '${srexp.by:${model.name},{srcnn:1e-4}}'}",
    "defaults: [{override /hydra/launcher: joblib}]\nhydra: {launcher: {n_jobs: 2, backend: loky, timeout: 1e3}}",
    "hydra: {mode: RUN, sweeper: {params: {model: 'srcnn,vdsr', +tags.x: 'range(1,4)', optimizer.lr: [1, 2]}}}",
    "paths: {root: '${srexp.root:}/mlruns', shared: false}\ntags: {pattern: '^a(b|c)$'}",
]


@pytest.fixture
def trace(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path / "project"))
    monkeypatch.setenv("NAMED_TARGET", "os.mkdir")
    return tmp_path / "trace"


def preset(trace: Path, text: str) -> list[str]:
    folder = trace.parent / "presets" / "experiment"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hostile.yaml").write_text(f"# @package _global_\n{text.replace('TRACE', str(trace))}\n")
    return ["+experiment=hostile", f"hydra.searchpath=[file://{folder.parent}]"]


@pytest.mark.parametrize("verb", cli.VERBS)
def test_what_opens_something_to_others_is_typed_and_in_no_file(verb: str, trace: Path) -> None:
    """Every key of a verb that names hosts, pages or names is for the command line."""
    root = yaml.safe_load((CONF / f"{verb}.yaml").read_text())
    for key in {"host", "hosts", "origins", "names", "force"} & root.keys():
        with pytest.raises(RequestError, match=f"a file can't set {key}"):
            compose(verb, preset(trace, f"{key}: {json.dumps(root[key])}"))
        (trace.parent / "presets" / "experiment" / "hostile.yaml").unlink()
    with pytest.raises(RequestError, match=r"line 2: a file can't set paths\.shared"):
        compose(verb, preset(trace, "paths: {shared: true}"))


WAYS = ["run", "multirun", "notebook"]


def ways(case: str, trace: Path) -> list[str]:
    """All where reading lets a preset pass, for it is each way's to refuse it later; else one of them in turn."""
    try:
        _judged(trace)
    except (RequestError, OmegaConfBaseException):
        return [WAYS[[*HOSTILE].index(case) % 3]]
    return WAYS


@pytest.mark.parametrize("case", HOSTILE)
def test_a_preset_runs_no_code(case: str, trace: Path, capfd) -> None:
    typed = [*preset(trace, HOSTILE[case]), f"hydra.run.dir={trace.parent}/out"]
    for way in ways(case, trace):
        if way == "notebook":
            with pytest.raises(RequestError):
                srexp.run("check", typed)
        else:
            several = ["-m", "seed=1", f"hydra.sweep.dir={trace.parent}/sweep"] if way == "multirun" else []
            assert run(["check", *several, *typed]) == 2
            said = capfd.readouterr().err
            assert "srexp: " in said
            assert "Traceback" not in said
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
    assert run(["check", "hydra.job.env_copy=[NAMED_TARGET]", f"hydra.run.dir={trace.parent}/out"]) == 0
    assert run(["check", "hydra.job.env_copy=[NOT_SET_ANYWHERE]"]) == 2
    typed = ["extensions=[fractions]", "model._target_=fractions.Fraction"]
    assert srexp.compose(typed).model.target == "fractions.Fraction"
    with pytest.raises(RequestError, match=r"hostile.yaml, line 2: a file can't set extensions"):
        srexp.compose(preset(trace, "extensions: [fractions]"))


def test_logging_is_arranged_where_it_is_typed(trace: Path) -> None:
    typed = ["hydra.job_logging.root.level=DEBUG", "+hydra.job_logging.handlers.file.mode=w"]
    assert run(["check", *typed, f"hydra.run.dir={trace.parent}/out"]) == 0


def test_roots_are_not_exchanged(trace: Path) -> None:
    assert run(["check", "--config-name=mine"]) == 2
    assert run(["check", f"--config-path={trace.parent}"]) == 2


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ('"a\\u0085b": 1', r"a\x85b"),
        ("? !!python/name:os.mkdir x\n: 1", "tag:yaml.org,2002:python/name:os.mkdir"),
        ("tags: &a {b: 1}\nmodel: *a", "model"),
    ],
)
def test_a_refusal_names_what_was_written(text: str, got: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(RequestError, match=f"line [12]: (.|\n)*{re.escape(got)}"):
        JudgedFiles("mine", str(tmp_path)).load_config("mine.yaml")


@pytest.mark.slow
def test_a_file_is_judged_by_the_place_where_it_is_composed(trace: Path) -> None:
    for header, group in [("# @package hydra.callbacks.mine", "experiment"), ("", "hydra/job_logging"), ("", "mine")]:
        file = trace.parent / "placed" / group / "hostile.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{header}\n_target_: os.mkdir\npath: {trace}\n")
        (file.parent / "empty.yaml").write_text(f"{header or '# @package hydra.callbacks.mine'}\n")
        for chosen in (f"+{group}=hostile", f"{group}=hostile", f"+{group}@hydra.callbacks.mine=hostile"):
            assert run(["check", chosen, f"--config-dir={trace.parent}/placed"]) == 2
        # Hydra called what an empty one makes, and warned that it is no callback, as the generated presets found.
        chosen = f"{'' if group.startswith('hydra') else '+'}{group}=empty"
        assert run(["check", chosen, f"--config-dir={trace.parent}/placed"]) == 2
    assert not trace.exists()


@pytest.mark.parametrize(
    "text",
    [
        "output: dicomweb://evil.example/rs",
        "output: '${tags.a}'",
        "input: ' DICOMweb+http://evil.example/rs/studies/1'",
        "tracking: {uri: 'mysql+pymysql://evil.example/runs?local_infile=1'}",
        "tracking: {uri: 'mysql+pymysql://evil.example/runs${tags.a}'}",
        "storage: 'mssql+pyodbc:///?odbc_connect=DRIVER=/mine.so'",
        "search: {storage: 'mysql://evil.example/study?read_default_file=/mine'}",
        "hydra: {sweeper: {params: {+output: 'dicom://evil.example:104/EVIL'}}}",
        "hydra: {sweeper: {params: {search: '{storage: mysql://evil.example/study?local_infile=1}'}}}",
        "hydra: {sweeper: {params: {search: ['{storage: mysql://evil.example/study?local_infile=1}']}}}",
        "hydra: {launcher: {ray: {init: {dashboard_host: 0.0.0.0}}}}",
        "hydra: {launcher: {ray: {init: {include_dashboard: true}}}}",
        "hydra: {launcher: {ray: {init: {address: 10.0.0.1}}}}",
        "hydra: {launcher: {timeout_min: 1.2.3}}",
        'tags: {"a\\nsrexp: forged": x}',
        'tags: {"\\u202eb": x}',
        'run_name: "a\\ud800b"',
    ],
)
def test_no_preset_sends_images_elsewhere_or_opens_files_to_a_server(text: str, trace: Path) -> None:
    preset(trace, text)
    with pytest.raises(RequestError, match=r"hostile\.yaml, line 2: a"):
        _judged(trace)


@pytest.mark.parametrize(
    "text",
    [
        "input: scans\noutput: '${srexp.root:}/dicom'",
        "tracking: {uri: 'postgresql://host/runs'}\nsearch: {storage: 'mysql+pymysql://host:3306/study'}",
        "hydra: {launcher: {ray: {init: {num_cpus: 4}}, timeout_min: 1.5}, sweeper: {params: {experiment: 'a,b'}}}",
    ],
)
def test_a_preset_leads_to_folders_and_stores(text: str, trace: Path) -> None:
    preset(trace, text)
    _judged(trace)


def _judged(trace: Path) -> None:
    read = JudgedFiles("test", f"file://{trace.parent}/presets").load_config("experiment/hostile")
    assert isinstance(read, Written)
    read.require_plain("")


@pytest.mark.parametrize("text", PLAIN)
def test_a_preset_says_what_is_srexps(text: str, trace: Path) -> None:
    assert srexp.compose(preset(trace, text)).verb == "train"


CONF = config_home() / "conf"
OWN = sorted([*CONF.glob("*/*.yaml"), *(config_home() / "sweeps").glob("*.yaml")])


@pytest.mark.parametrize("path", OWN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_comes_with_srexp_is_a_preset_too(path: Path) -> None:
    read = JudgedFiles("test", f"file://{path.parent.parent}").load_config(f"{path.parent.name}/{path.stem}")
    assert isinstance(read, Written)
    read.require_plain(read.header["package"] or path.parent.name)
