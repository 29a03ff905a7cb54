from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srexp import cli
from srexp.cli import VERBS
from srexp.config.reference.completion import candidates
from srexp.config.reference.keys import PRESETS, files, groups, keys, root


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("srexp ev", "evaluate"),
        ("srexp evaluate model_u", "model_uri="),
        ("srexp evaluate model=vd", "model=vdsr"),
        ("srexp evaluate model=srcnn,vd", "model=srcnn,vdsr"),
        ("srexp model=vdsr che", "check checkpoint."),
        ("srexp -m search +sweeps=srcnn_t", "+sweeps=srcnn_tpe"),
        ("srexp search search.samp", "search.sampler="),
        ("srexp search search=keras_tuner search.tun", "search.tuner="),
        ("srexp search search.pruner=me", "search.pruner=median"),
        ("srexp train optimizer.l", "optimizer.lr="),
        ("srexp train +experiment=vdsr_samples model.de", "model.depth="),
        ("srexp train degradation=xray degradation.steps.no", "degradation.steps.noise."),
        ("srexp train checkpoint.", "checkpoint.minutes="),
        ("srexp train ~sch", "~schedule. ~schedule="),
        ("srexp --nothing ev", "evaluate"),
        ("srexp train model=nothing op", "optimizer. optimizer="),
        ("srexp train a=b=c,, op", "optimizer. optimizer="),
        ("srexp train model=nothing model.", ""),
        ("srexp enhance format=", "format=bmp format=dicom format=jpeg format=png format=same format=tiff"),
        ("srexp enhance overwrite=t", "overwrite=true"),
        ("srexp help enh", "enhance"),
        ("srexp --hel", "--help"),
        ("srexp --cfg j", "job"),
        ("srexp train hydra.run", "hydra.run."),
        ("srexp train nothing", ""),
    ],
)
def test_verbs_groups_choices_and_keys_are_completed(line: str, expected: str) -> None:
    assert candidates(line, VERBS) == expected.split()


def test_files_of_another_folder_are_choices_as_well(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("width: 3  # mine\n")
    (tmp_path / "model" / "broken.yaml").write_text("{")
    line = f"srexp --config-dir {tmp_path} "
    assert candidates(f"{line}model=min", VERBS) == ["model=mine", "model=minisub"]
    assert candidates(f"{line}model=mine model.", VERBS) == ["model.width="]
    assert candidates(f"{line}model=broken model.", VERBS) == []


WORDS = [*VERBS, *groups(), *PRESETS, *(key.name for verb in VERBS for key in keys(root(verb)))]
SIGNS = st.sampled_from(["", "+", "++", "~", "-", "--"])
ENDS = st.one_of(st.sampled_from(["", "=", ".", "=a,", "=[1", "='", "@x=", "=vdsr", " "]), st.text(max_size=4))
TYPED = st.builds(
    lambda sign, word, cut, end: f"{sign}{word[:cut]}{end}", SIGNS, st.sampled_from(WORDS), st.integers(0, 30), ENDS
)


@given(st.lists(TYPED, max_size=4).map(" ".join))
def test_no_line_makes_an_error_and_all_found_go_on_from_what_is_typed(line: str) -> None:
    words = line.split()
    begun = words[-1] if words and not line.endswith((" ", "\t")) else ""
    for each in candidates(f"srexp {line}", VERBS):
        assert each.startswith(begun if f"srexp {line}".split()[1:] else "")
        assert not set(each) & set(" \n")


def test_every_verb_group_and_key_is_found_from_its_beginning() -> None:
    for verb in VERBS:
        assert verb in {*candidates(f"srexp {verb[:-1]}", VERBS)}
        for key in keys(root(verb)):
            name, dot, _ = key.name.partition(".")
            if name != "search":
                assert f"{name}{'.' if dot else '='}" in candidates(f"srexp {verb} {name[:-1]}", VERBS), key.name
    for group in groups():
        for choice in files(group):
            assert f"{group}={choice}" in candidates(f"srexp {group}=", VERBS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_asks_and_is_told(
    shell: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMP_LINE", "srexp evaluate model_u")
    assert cli.run(["--shell-completion", f"query={shell}"]) == 0
    assert capfd.readouterr() == ("model_uri=\n", "")
    assert cli.run(["--shell-completion", f"install={shell}"]) == 0
    assert f"query={shell}" in capfd.readouterr().out


@pytest.fixture
def shell_environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a shell that finds a `srexp`."""
    program = tmp_path / "srexp"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m srexp "$@"\n')
    program.chmod(0o755)
    root = str(Path(cli.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": root, "PATH": f"{tmp_path}:{os.environ['PATH']}", "TERM": "xterm"}


@pytest.mark.system
def test_bash_completes_what_is_typed(shell_environment: dict[str, str]) -> None:
    """As Bash calls it: it takes words apart at `=`, and what is replaced is behind that."""
    lines = ["srexp evaluate model_u", "srexp model=vd", "srexp +experiment=cxr", "srexp nothing"]
    asked = [
        f"COMP_LINE='{line}'; COMP_POINT={len(line)}; _srexp srexp '{line.rpartition(' ')[2].rpartition('=')[2]}' ''\n"
        'echo "${COMPREPLY[@]}"\n'
        for line in lines
    ]
    script = f'eval "$(srexp -sc install=bash)"; compopt() {{ :; }}\n{"".join(asked)}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, env=shell_environment)
    assert (done.stdout.splitlines(), done.stderr) == (["model_uri=", "vdsr", "cxr_x2 cxr_x2_vdsr cxr_x4", ""], "")


#: What is typed before the tab key, and what the line is then: one word is completed, of several what they share.
TYPED_IN_A_SHELL = {
    "srexp evaluate model_u": "srexp evaluate model_uri=",
    "srexp enh": "srexp enhance ",
    "srexp model=vd": "srexp model=vdsr ",
    "srexp model=srcnn,vd": "srexp model=srcnn,vdsr ",
    "srexp +experiment=cxr": "srexp +experiment=cxr_x",
    "srexp optimizer.beta": "srexp optimizer.beta_",
    "srexp nothing": "srexp nothing",
}


@pytest.mark.system
@pytest.mark.skipif(not shutil.which("fish"), reason="no fish here; .ci/run installs it")
def test_fish_completes_what_is_typed(shell_environment: dict[str, str]) -> None:
    asked = "srexp -sc install=fish | source; for line in $argv; echo (complete -C $line); end"
    command = ["fish", "--no-config", "-c", asked, *TYPED_IN_A_SHELL]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=shell_environment)
    for shown, (typed, line) in zip(done.stdout.splitlines(), TYPED_IN_A_SHELL.items(), strict=True):
        assert bool(shown) == (line != typed)
        assert all(each.startswith(line.split()[-1]) for each in shown.split())
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh here; .ci/run installs it")
def test_zsh_completes_what_is_typed(shell_environment: dict[str, str], tmp_path: Path) -> None:
    """At a terminal, as its user presses the keys; another one, bound here, writes down what the line is then."""
    lines = tmp_path / "lines"
    begin = (
        "autoload -Uz compinit && compinit -u -D; "
        f'eval "$(srexp -sc install=zsh)"; noted() {{ print -r -- "$BUFFER" >> {lines}; BUFFER= }}; '
        f"zle -N noted; bindkey '^X' noted; : > {lines}\n"
    )
    terminal, theirs = os.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    zsh = subprocess.Popen(["zsh", "-f", "-i"], env=shell_environment, start_new_session=True, **streams)
    os.close(theirs)
    said = b""

    def wait(until: Callable[[], bool]) -> None:
        nonlocal said
        limit = time.monotonic() + 60
        while not until() and time.monotonic() < limit:
            if select.select([terminal], [], [], 0.1)[0]:
                said += os.read(terminal, 10_000)

    try:
        os.write(terminal, begin.encode())
        wait(lines.exists)
        for number, typed in enumerate(TYPED_IN_A_SHELL, start=1):
            os.write(terminal, f"{typed}\t\x18".encode())
            wait(lambda number=number: lines.read_text().count("\n") == number)
    finally:
        zsh.kill()
        zsh.wait()
        os.close(terminal)
    assert lines.read_text().splitlines() == list(TYPED_IN_A_SHELL.values()), said.decode(errors="replace")
