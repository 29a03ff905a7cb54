from __future__ import annotations

import os
import subprocess
import sys
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


@pytest.mark.system
def test_bash_completes_what_is_typed(tmp_path: Path) -> None:
    """As Bash calls it: it takes words apart at `=`, and what is replaced is behind that."""
    program = tmp_path / "srexp"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m srexp "$@"\n')
    program.chmod(0o755)
    lines = ["srexp evaluate model_u", "srexp model=vd", "srexp +experiment=cxr", "srexp nothing"]
    asked = [
        f"COMP_LINE='{line}'; COMP_POINT={len(line)}; _srexp srexp '{line.rpartition(' ')[2].rpartition('=')[2]}' ''\n"
        'echo "${COMPREPLY[@]}"\n'
        for line in lines
    ]
    script = f'PATH={tmp_path}:$PATH; eval "$(srexp -sc install=bash)"; compopt() {{ :; }}\n{"".join(asked)}'
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, env=environment)
    assert (done.stdout.splitlines(), done.stderr) == (["model_uri=", "vdsr", "cxr_x2 cxr_x4", ""], "")
