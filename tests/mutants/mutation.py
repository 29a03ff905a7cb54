"""Small faults in a source file, by the operators of mutmut."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, WhitespaceInclusivePositionProvider
from mutmut.mutation.mutators import mutation_operators

_NAMED = m.Name(m.MatchRegex(r"\w*Error|refuse|len|isinstance|warn|cast|TypeVar|getLogger"))
_LOGS = m.Attribute(attr=m.Name(m.MatchRegex("debug|info|warning|error|exception|warn|getLogger")))
#: Types, imports, what only a person reads, and what Python itself refuses when it is wrong.
_LEFT_OUT = (
    m.Annotation() | m.Decorator() | m.Raise() | m.Import() | m.ImportFrom() | m.Match()
    | m.If(test=m.Name("TYPE_CHECKING")) | m.Call(func=_NAMED | _LOGS)
    | m.Assign(targets=[m.AssignTarget(m.Name("TYPE_CHECKING") | m.Name("__all__"))])
    | m.AnnAssign(annotation=m.Annotation(m.Name("TypeAlias")))
)  # fmt: skip
#: What asserts that lengths are equal, and the encoding that this system has anyway.
_SAME = re.compile(r"\b(strict|encoding)=[^,)]+(, )?")
_WORDING = m.SimpleString(m.MatchRegex(r"(?s).* .*"))


@dataclass(frozen=True)
class Mutant:
    """A source file with one fault, and the lines that differ, their blanks made single."""

    path: Path
    lines: frozenset[int]
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        return f"{self.path}\n- {self.before}\n+ {self.after}"


def mutants(root: Path, path: Path) -> list[Mutant]:
    """Give every mutant of a file, each once.

    Args:
        root: Folder of the checkout.
        path: The file below it.
    """
    source = (root / path).read_text(encoding="utf-8")
    faults = _Faults(source)
    MetadataWrapper(cst.parse_module(source)).visit(faults)
    made = {}
    for changed in dict.fromkeys(faults.found):
        try:
            compile(changed, path.name, "exec", dont_inherit=True)
        except SyntaxError:
            continue
        lines, before, after = _difference(source, changed)
        if _SAME.sub("", before) != _SAME.sub("", after) and before.replace("None", "False") != after.replace(
            "None", "False"
        ):
            made.setdefault((before, after), Mutant(path, lines, before, after, changed))
    return list(made.values())


class _Faults(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (WhitespaceInclusivePositionProvider,)

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._source = source
        self._module = cst.Module([])
        self._begins = [0]
        for line in source.splitlines(keepends=True):
            self._begins.append(self._begins[-1] + len(line))

    def on_visit(self, node: cst.CSTNode) -> bool:
        if m.matches(node, _LEFT_OUT):
            return False
        if not m.matches(node, _WORDING):
            self.found += self._replaced(node)
        return True

    def _replaced(self, node: cst.CSTNode) -> Iterator[str]:
        for kind, operator in mutation_operators:
            for other in operator(node) if isinstance(node, kind) else ():
                at = self.get_metadata(WhitespaceInclusivePositionProvider, node)
                begin, end = (self._begins[place.line - 1] + place.column for place in (at.start, at.end))
                yield self._source[:begin] + self._module.code_for_node(other) + self._source[end:]


def _difference(source: str, changed: str) -> tuple[frozenset[int], str, str]:
    """Give the lines that differ: their numbers, and what they are before and after."""
    old, new = source.splitlines(), changed.splitlines()
    same = [
        each for each in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if each[0] != "equal"
    ]
    begin, end = same[0][1], same[-1][2]
    ours, theirs = " ".join(old[begin:end]), " ".join(new[same[0][3] : same[-1][4]])
    return frozenset(range(begin + 1, end + 1)), " ".join(ours.split()), " ".join(theirs.split())
