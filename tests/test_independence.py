"""Tests are strangers to each other: nothing that is made once for a whole file remembers which of them came first."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FILES = [path for path in sorted(TESTS.rglob("*.py")) if not path.is_relative_to(TESTS / "benchmarks")]

#: What gives something else each time that it is asked.
REMEMBER = {"default_rng", "Random", "RandomState", "count", "cycle", "iter", "deque"}
#: What changes the object that it is called on.
CHANGE = {"add", "append", "clear", "extend", "insert", "pop", "popleft", "remove", "setdefault", "update"}


def made_once(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs when a file is imported: all but the inside of functions; their decorators and defaults do run."""
    yield node
    inside = {"body"} if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) else set()
    for name, value in ast.iter_fields(node):
        if name not in inside:
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    yield from made_once(each)


def called(node: ast.AST) -> str:
    """Name what a call calls; nothing where it is no call."""
    function = node.func if isinstance(node, ast.Call) else None
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def changed(function: ast.FunctionDef) -> Iterator[str]:
    """Name variables that a function changes in place, or in the function around it."""
    for node in ast.walk(function):
        if isinstance(node, ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield ast.unparse(node.value)
        elif isinstance(node, ast.Call) and called(node) in CHANGE and isinstance(node.func, ast.Attribute):
            yield ast.unparse(node.func.value)


def remembering(tree: ast.AST) -> Iterator[str]:
    """Name functions within which another one counts, or gathers, between its calls."""
    for outer in ast.walk(tree):
        if isinstance(outer, ast.FunctionDef):
            own = {
                ast.unparse(target) for node in outer.body if isinstance(node, ast.Assign) for target in node.targets
            }
            if any(own & {*changed(inner)} for inner in outer.body if isinstance(inner, ast.FunctionDef)):
                yield outer.name


def shared(source: str, remember: set[str]) -> list[int]:
    """Find lines on which something that remembers is made for the whole file; what is drawn from it at once is not."""
    tree = ast.parse(source)
    drawn = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return [node.lineno for node in made_once(tree) if called(node) in remember and id(node) not in drawn]


def test_no_file_shares_what_remembers_earlier_tests() -> None:
    sources = {str(path.relative_to(TESTS)): path.read_text(encoding="utf-8") for path in FILES}
    remember = REMEMBER | {name for source in sources.values() for name in remembering(ast.parse(source))}
    assert {"once"} <= remember
    assert [f"{name}:{line}" for name, source in sources.items() for line in shared(source, remember)] == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("RNG = np.random.default_rng(1)", [1]),
        ("NUMBERS = np.random.default_rng(1).random(9)", []),
        ("PLACES = {\n 'first': once('step 1'),\n}", [2]),
        ("PLACES = {'first': lambda: once('step 1'), 'second': partial(once, 'step 2')}", []),
        ("@parametrize('place', [once('step 1')])\ndef test(place): pass", [1]),
        ("def test(): once('step 1')", []),
        ("class Test:\n numbers = count()", [2]),
    ],
)
def test_what_is_shared_is_found(source: str, lines: list[int]) -> None:
    assert shared(source, {"default_rng", "once", "count"}) == lines


def test_functions_that_remember_are_found() -> None:
    counting = "def once(after):\n left = [after]\n def interrupt(place):\n  left[0] -= 1\n return interrupt"
    gathering = "def gather():\n seen = []\n def note(each):\n  seen.append(each)\n return note"
    plain = "def scaled(by):\n half = by / 2\n def scale(each):\n  return each * half\n return scale"
    assert list(remembering(ast.parse("\n".join([counting, gathering, plain])))) == ["once", "gather"]
