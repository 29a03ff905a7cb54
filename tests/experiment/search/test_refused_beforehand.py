"""What makes a search impossible is refused by `check` in the words of `search`, before anything heavy is imported."""

from __future__ import annotations

import ast
import fnmatch
import subprocess
import sys
from pathlib import Path

import pytest

import srexp
from srexp.errors import SrexpError

ROOT = Path(srexp.__file__).parent
LR = "optimizer.lr:{type:float,low:1e-5,high:1e-3,log:true}"
ENOUGH = f"search.space={{{LR}}}"


def space(said: str, name: str = "optimizer.lr") -> list[str]:
    return ["search=optuna", f"search.space={{{name}:{said}}}"]


def number(said: str) -> list[str]:
    return space(f"{{type:float,{said}}}")


def chosen(said: str) -> list[str]:
    return space(f"{{type:categorical,choices:{said}}}")


def when(said: str) -> list[str]:
    """A key on condition, beside one that may be meant and one whose values have no end."""
    other = "model:{type:categorical,choices:[srcnn,vdsr]}"
    return ["search=optuna", f"search.space={{{LR},{other},model.depth:{{type:int,low:8,high:9,when:{said}}}}}"]


def optuna(*typed: str) -> list[str]:
    return ["search=optuna", ENOUGH, *typed]


def tuner(*typed: str) -> list[str]:
    return ["search=keras_tuner", ENOUGH, *typed]


#: What is typed, by the start of what is said.
REFUSED = {
    "search.space is empty": ["search=optuna"],
    "a search doesn't go with trainer.strategy=multi_worker": ["+sweeps=srcnn_tpe", "trainer.strategy=multi_worker"],
    "search.space.optimizer.lr: is no mapping": space("3"),
    "search.space.optimizer.lr: has no type": space("{low:1}"),
    "search.space.optimizer.lr: has an unknown type": space("{type:flaot,low:1}"),
    "search.space.optimizer.lr: has an unknown field lo": number("lo:1"),
    "search.space.optimizer.lr: low is missing": number("high:1"),
    "search.space.optimizer.lr: low is no number": number("low:nan,high:1"),
    "search.space.optimizer.lr: low is no whole number": space("{type:int,low:0.5,high:1}"),
    "search.space.optimizer.lr: log is neither true nor false": number("low:1,high:2,log:3"),
    "search.space.optimizer.lr: low 2 is above high 1": number("low:2,high:1"),
    "search.space.optimizer.lr: low 0 has no logarithm": number("low:0,high:1,log:true"),
    "search.space.optimizer.lr: has both log and step": number("low:1,high:2,log:true,step:1"),
    "search.space.optimizer.lr: step 0 is not above 0": number("low:1,high:2,step:0"),
    "search.space.optimizer.lr: step 3 leads from low 1 beyond high 2": number("low:1,high:2,step:3"),
    "search.space.optimizer.lr: is too exact for whole steps": number("low:0.1234567890123,high:2,step:1"),
    "search.space.optimizer.lr: choices are missing": space("{type:categorical}"),
    "search.space.optimizer.lr: choices are no list": chosen("ab"),
    "search.space.optimizer.lr: has no choices": chosen("[]"),
    "search.space.optimizer.lr: has the choice 1 twice": chosen("[1,1]"),
    "search.space.optimizer.lr: has a choice that can't be kept": chosen("[{a:1}]"),
    "search.space.optimizer.lr: has no end of values, a grid needs steps": optuna("search.sampler=grid"),
    "search.space.model.depth: when is no mapping": when("3"),
    "search.space.model.depth: when.model has no values": when("{model:[]}"),
    "search.space.model.depth: when names modle": when("{modle:vdsr}"),
    "search.space.model.depth: when names optimizer.lr, whose values can't be counted": when("{optimizer.lr:1}"),
    'search.space.model.depth: when: model is never "vdrs"': when("{model:vdrs}"),
    "search.space.model.depth: when goes round in a circle: model.depth": when("{model.depth:8}"),
    "search.space.seed decides on which images, or for how long, trials are compared": space(
        "{type:int,low:1,high:3}", "seed"
    ),
    "search.space.extensions can't be searched": space("{type:categorical,choices:[os]}", "extensions"),
    "search.space allows paths.root=a": space("{type:categorical,choices:[a]}", "paths.root"),
    "search.space allows optimizer.lrr=": space("{type:float,low:1e-5,high:1e-3}", "optimizer.lrr"),
    "search.space allows trainer.patch_size=17": space("{type:int,low:16,high:20}", "trainer.patch_size"),
    "search.space allows optimizer.lr=-1.0": number("low:-1.0,high:1.0"),
    "search.space allows trainer.batch_size=24": [
        *space("{type:int,low:24,high:24}", "trainer.batch_size"),
        "trainer.patches_per_image=16",
    ],
    "search.space allows optimizer.lr=1e-05, which the configuration refuses: training=adversarial": [
        *optuna("training=adversarial")
    ],
    "search.space allows optimizer.lr=1e-05, which the configuration refuses: trainer.batch_size=auto": [
        *optuna("trainer.batch_size=auto")
    ],
    "search.name is empty": optuna("search.name=''"),
    "search.name is no name of a folder": optuna("search.name=a/b"),
    "the study begun was begun with another engine or storage": optuna("search.name=begun"),
    "the folder of the study can't be written": optuna("search.name=file"),
    "search.objectives are not one or several different ones": optuna("search.objectives=[]"),
    "search.pruner=halving can't prune for several objectives: Optuna compares trials by one value": optuna(
        "search.objectives=[val_psnr,seconds]"
    ),
    "search.sampler=gp seeks one objective": optuna(
        "search.objectives=[val_psnr,seconds]", "search.pruner=none", "search.sampler=gp"
    ),
    "search.pruner=halving judges by val_psnr, which isn't sought": optuna("search.objectives=[seconds]"),
    "search.sampler=cma_es adapts the spread of at least two numbers": optuna("search.sampler=cma_es"),
    "search.storage is not the URL of a database": optuna("search.storage=nothing"),
    "search.storage names an unknown database": optuna("search.storage='oracle://host/db'"),
    "search.storage doesn't tell where its password ends": optuna("search.storage='mysql://ann:q7Xv@9zKw/x@host/runs'"),
    "search.objectives: Keras Tuner seeks val_psnr alone": tuner("search.objectives=[seconds]"),
    "search.storage: Keras Tuner keeps its studies in files": tuner("search.storage='mysql://host/db'"),
}
#: Refusals in the same files that no override brings about, and why.
OTHERS = {
    "search.sampler=* needs *, which is not installed": "of the machine; tests/search/optuna/test_engine.py",
    "KERASTUNER_ORACLE_IP is set, but not *": "of the environment; tests/search/keras_tuner/test_engine.py",
    "the study * began otherwise:": "of what the study has, which a database may keep",
    "the study * is not in its storage any more, but its trials are in *": "of what the study has",
    "the search * can't go on: *": "of the store",
    "study needs optuna-dashboard, which is not installed": "`ui`'s",
    "* has no study *": "`ui`'s",
    "can't listen on *:*: *": "`ui`'s",
}
_TRIED = (
    "import srexp, sys\n"
    "from srexp.errors import SrexpError\n"
    "for verb in ('check', 'search'):\n"
    "    for typed in {typed!r}:\n"
    "        try:\n"
    "            srexp.run(verb, typed)\n"
    "        except SrexpError:\n"
    "            continue\n"
    "        raise SystemExit(repr(typed))\n"
    "print([name for name in ('tensorflow', 'keras', 'mlflow') if name in sys.modules])"
)


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that has a study of another engine."""
    monkeypatch.setenv("SREXP_ROOT", str(tmp_path))
    mark = tmp_path / "mlruns" / "studies" / "begun" / "engine.json"
    mark.parent.mkdir(parents=True)
    mark.parent.with_name("file").touch()
    mark.write_text('{"engine": "another", "storage": false}')


def told(verb: str, typed: list[str]) -> str:
    with pytest.raises(SrexpError) as refusal:
        srexp.run(verb, typed)
    return str(refusal.value)


@pytest.mark.one_in(6)
@pytest.mark.parametrize("said", REFUSED)
def test_check_refuses_in_the_words_of_search(said: str) -> None:
    checked = told("check", REFUSED[said])
    assert checked.startswith(said)
    assert told("search", REFUSED[said]) == checked


def test_every_refusal_of_a_search_is_tried() -> None:
    found, kinds = set(), set()
    for path in [*(ROOT / "search").rglob("*.py"), *(ROOT / "experiment" / "search").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            called = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if called == "RequestError":
                found.add(_pattern(node.args[0]))
            elif called == "refuse" and not isinstance(node.args[1], ast.Name):
                kinds.add(f"search.space.*: {_pattern(node.args[1])}")
    found.discard("search.space.*: *")  # whose kinds are these
    for pattern in (found | kinds) - OTHERS.keys() - WITHIN.keys():
        assert any(fnmatch.fnmatch(said, f"{pattern}*") or pattern.startswith(said) for said in REFUSED), pattern
    assert OTHERS.keys() | WITHIN.keys() <= found | kinds


#: What is said within another message, in which the values stand that are refused.
WITHIN = {"* does not exist": "search.space allows *"}


def _pattern(text: ast.expr) -> str:
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(str(each.value) if isinstance(each, ast.Constant) else "*" for each in parts)


@pytest.mark.slow
def test_nothing_heavy_is_imported_to_refuse_a_search() -> None:
    code = _TRIED.format(typed=list(REFUSED.values()))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_search_that_fits_is_said_to_fit(capfd: pytest.CaptureFixture[str]) -> None:
    assert srexp.run("check", ["+sweeps=srcnn_tpe", "search.trials=7"])["choices"]["search"] == "optuna"
    assert "epochs, search srcnn_tpe of 7 trials: fits" in capfd.readouterr().out
