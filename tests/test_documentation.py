"""README and docs/ say what is so: commands compose, keys are explained, sentences are short, titles are telling.

Links and anchors are held by `make docs`, which builds strictly; what it built is looked at where it lies.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import srexp
from srexp.cli import VERBS
from srexp.config.shards import all_shards
from srexp.errors import RequestError

ROOT = Path(__file__).parent.parent
DOCS, SITE = ROOT / "docs", ROOT / "build" / "site"
README = (ROOT / "README.md").read_text()
_found = importlib.util.spec_from_file_location("generated_pages", DOCS / "generated_pages.py")
assert _found is not None
assert _found.loader is not None
generated_pages = importlib.util.module_from_spec(_found)
_found.loader.exec_module(generated_pages)

WRITTEN = {str(path.relative_to(DOCS)): path.read_text() for path in sorted(DOCS.rglob("*.md"))}
PAGES = {**WRITTEN, **generated_pages.pages()}
needs_site = pytest.mark.skipif(not SITE.is_dir(), reason="`make docs` has not built the site")

# Commands


def commands(*pages: str) -> list[str]:
    """Lines of shell blocks, continuations joined, comments and blank lines left out; each once."""
    blocks = [block for page in pages for block in re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)]
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return sorted({line.strip() for line in lines if line.strip() and not line.startswith("#")})


def srexp_commands(*pages: str) -> set[tuple[str, ...]]:
    found = set()
    for line in commands(*pages):
        words = [word for word in shlex.split(line, comments=True) if not re.match(r"[A-Z_]+=", word)]
        if "srexp" in words[:3]:
            found.add(tuple(words[words.index("srexp") + 1 :]))
    return found


def first_choice(override: str) -> str:
    """One of the runs of `-m key=a,b`."""
    return re.sub(r"^([\w./+@-]+=[^,\[{'\"]*),.*", r"\1", override)


def test_the_readme_has_the_two_commands():
    assert {"make run", "make test"} <= {re.sub(r"\s+#.*", "", line) for line in commands(README)}


def test_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = commands(README, *PAGES.values())

    assert {shlex.split(line, comments=True)[1] for line in lines if line.startswith("make ")} <= targets


@pytest.mark.parametrize("words", sorted(srexp_commands(README, PAGES["start.md"])), ids=" ".join)
def test_first_commands_compose(words: tuple[str, ...]):
    require_composed(words)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", sorted(srexp_commands(*PAGES.values()) - srexp_commands(README, PAGES["start.md"])), ids=" ".join
)
def test_commands_compose(words: tuple[str, ...]):
    require_composed(words)


def require_composed(words: tuple[str, ...]):
    verb = words[0] if words and words[0] in VERBS else "train"
    typed = all_shards(words) if "-m" in words else words
    overrides = [first_choice(word) for word in typed if "=" in word and not word.startswith("--")]
    if "hydra/launcher=ray" in overrides:  # known only where the unpinned extra is installed
        overrides = [word for word in overrides if "launcher" not in word]

    assert {word for word in words if "=" not in word} <= {verb, "-m", "--help", "--version", "--cfg", "job"}
    if "--help" not in words:  # which composes nothing
        srexp.compose(overrides, verb=verb)


def calls_from_python() -> list[tuple[str, str, tuple[str, ...]]]:
    """Calls of `srexp.run` and `srexp.compose` in blocks of Python, with those of their texts that are written out."""
    blocks = [block for page in PAGES.values() for block in re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)]
    calls = [node for block in blocks for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
    found = set()
    for call in calls:
        if ast.unparse(call.func) in ("srexp.run", "srexp.compose"):
            texts = [each.value for each in ast.walk(call) if isinstance(each, ast.Constant)]
            verb = texts.pop(0) if ast.unparse(call.func) == "srexp.run" else "train"
            found.add((ast.unparse(call), verb, tuple(text for text in texts if re.match(r"[\w.]+=.", text))))
    return sorted(found)


@pytest.mark.parametrize(("call", "verb", "overrides"), calls_from_python())
def test_calls_from_python_compose(call: str, verb: str, overrides: tuple[str, ...]):
    if "trainer.epoch=" in call:  # the notebook shows how a mistake is refused
        with pytest.raises(RequestError):
            srexp.compose(overrides, verb=verb)
    else:
        srexp.compose([*overrides, *(["model_uri=bicubic"] if verb == "enhance" else [])], verb=verb)


def test_the_notebook_was_run_from_top_to_bottom_without_an_error():
    cells = json.loads((DOCS / "notebook.ipynb").read_text())["cells"]
    run = [cell for cell in cells if cell["cell_type"] == "code"]

    assert [cell["execution_count"] for cell in run] == list(range(1, len(run) + 1))
    assert [each for cell in run for each in cell["outputs"] if each["output_type"] == "error"] == []
    assert "image/png" in str(run[-1]["outputs"])


def test_a_notebook_on_the_site_has_the_words_of_a_terminal_without_its_codes(tmp_path):
    said = "\x1b[33mfiles\x1b[0m \x1b]8;id=1;file:///runs/a.png\x1b\\a.png\x1b]8;;\x1b\\, done"
    output = {"output_type": "display_data", "data": {"text/plain": [said]}}
    cell = {"cell_type": "code", "source": ["run()"], "outputs": [output]}
    (tmp_path / "one.ipynb").write_text(json.dumps({"cells": [cell]}))

    assert generated_pages.notebook(tmp_path / "one.ipynb").endswith("```text\nfiles a.png, done\n```\n")


def test_every_verb_is_shown():
    assert {words[0] for words in srexp_commands(README, *PAGES.values()) if words and words[0] in VERBS} | {
        "train"
    } == set(VERBS)


def test_scripts_that_are_named_exist():
    named = {name for page in (README, *PAGES.values()) for name in re.findall(r"\btests/[\w/]+\.py\b", page)}

    assert {name for name in named if not (ROOT / name).is_file()} == set()


# Pages


def prose(page: str) -> Iterator[str]:
    """Sentences, without blocks of code, tables, headings and pictures; code and links are one word or their text."""
    page = re.sub(r"^( *)```.*?^\1```|^<div.*?</div>", "", page, flags=re.MULTILINE | re.DOTALL)
    page = re.sub(r"^\s*(\||!\[|#|:::|!!!).*", "", page, flags=re.MULTILINE)
    page = re.sub(r"^(\s*[-*] )", r"\n\1", page, flags=re.MULTILINE)
    page = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", re.sub(r"`[^`]+`", "code", page))
    for paragraph in re.split(r"\n\s*\n", page):
        yield from re.split(r"(?<=[.!?])\s+", paragraph.strip())


def test_the_readme_is_short():
    assert len(README.encode()) <= 10_000


@pytest.mark.parametrize("name", [*WRITTEN, "notebook.md", "README"])
def test_sentences_have_at_most_thirty_words(name: str):
    assert [sentence for sentence in prose({**PAGES, "README": README}[name]) if len(sentence.split()) > 30] == []


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README)

    assert {link for link in links if not (ROOT / link).exists()} == set()


@pytest.mark.parametrize("word", ["GPU", "Windows", "macOS", "cite", "DICOM", "resume", "seed", "patient", "Slurm"])
def test_a_title_says_what_is_looked_for(word: str):
    titles = [found[0] for page in PAGES.values() if (found := re.search(r"^# .*", page, re.MULTILINE))]

    assert [title for title in titles if word.lower() in title.lower()]


@pytest.mark.parametrize("name", [name for name in WRITTEN if name.startswith("results/") and " dB" in WRITTEN[name]])
def test_results_name_command_machine_and_date(name: str):
    page = WRITTEN[name]

    assert commands(page)
    assert "AMD EPYC" in page
    assert re.search(r"\b20\d\d-\d\d-\d\d\b", page)


def test_what_is_not_built_lends_its_name_to_no_network():
    _, _, section = WRITTEN["results/networks.md"].partition("## What isn't here")
    names = {
        name.lower() for name in re.findall(r"\w+", " ".join(re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)))
    }

    assert {"mirn", "swinir", "rcan"} <= names
    assert not names & {path.stem.partition("_")[0] for path in (ROOT / "conf" / "model").glob("*.yaml")}


# The configuration


def leaves(tree: Any, within: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{within}{key}.")
        elif f"{within}{key}" != "defaults":
            yield f"{within}{key}"


@pytest.mark.parametrize("folder", ["conf", "sweeps"])
def test_every_key_is_in_the_reference_with_its_comment(folder: str):
    pages = "\n".join(PAGES[name] for name in PAGES if name.startswith("reference/"))
    for path in (ROOT / folder).rglob("*.yaml"):
        if "hydra" in path.parts:  # how logs are arranged
            continue
        told = {key.name: key.comment for key in generated_pages.keys(path)}
        flow = {
            key for key in leaves(yaml.safe_load(path.read_text())) if not any(key.startswith(f"{t}.") for t in told)
        }
        assert flow <= set(told), path
        assert [key for key in told if not told[key]] == [], path
        assert all(re.search(rf"^`(\w+\.)?{re.escape(key)}=", pages, re.MULTILINE) for key in told), path


def test_what_a_file_says_of_itself_becomes_markdown(tmp_path: Path):
    path = tmp_path / "x.yaml"
    path.write_text(
        "# @package _global_\n# What it is.\n#   python -m srexp a=1\n#   python -m srexp b=2\n# More.\na: 1\n"
    )

    assert generated_pages.described(path) == (
        "What it is.\n```sh\npython -m srexp a=1\npython -m srexp b=2\n```\n\nMore."
    )


# What was built


@needs_site
@pytest.mark.parametrize("word", ["GPU", "Windows", "cite", "DICOM", "resume", "seed"])
def test_the_index_finds_a_page_of_that_title(word: str):
    index = json.loads((SITE / "search" / "search_index.json").read_text())["docs"]
    titles = [each["title"] for each in index if "#" not in each["location"]]

    assert [title for title in titles if word.lower() in title.lower()]


@needs_site
def test_no_page_asks_another_server():
    asking = re.compile(r"<(?:script|img|iframe|link)[^>]+(?:src|href)=\"?(?:https?:)?//[^\">]+")

    assert {found[0] for path in SITE.rglob("*.html") if (found := asking.search(path.read_text()))} == set()
