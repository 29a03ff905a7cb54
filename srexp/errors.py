"""What srexp says when it cannot go on: what was got, what was expected, how to mend it."""

from __future__ import annotations

import copyreg
import difflib
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath
from typing import Any, ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Built = TypeVar("_Built")


class SrexpError(Exception):
    """Work that failed for a reason the user can understand.

    Args:
        what: What happened and to which key, file or run. Here and below, a line break in a name, or in what a library
            says, becomes a blank: no name forges a line.
        lines: Each of several things that happened.
        got: The offending value, shown with `repr`, a path as its text; left out when None.
        expected: What would have been accepted.
        fix: What the user can type or change.
        result: What was done all the same, for `result.json`.

    Example:
        >>> print(SrexpError("optimizer.lr is not a number", got="abc", expected="a float", fix="optimizer.lr=1e-4"))
        optimizer.lr is not a number
          got:      'abc'
          expected: a float
          fix:      optimizer.lr=1e-4
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        lines: Sequence[str] = (),
        got: object = None,
        expected: str = "",
        fix: str = "",
        result: dict[str, Any] | None = None,
    ) -> None:
        got = str(got) if isinstance(got, PurePath) else got
        self.what, self.got, self.expected, self.fix = what, got, expected, fix
        self.result = result
        told = [what, *(f"  {line}" for line in lines)]
        if got is not None:
            told.append(f"  got:      {got!r}")
        if expected:
            told.append(f"  expected: {expected}")
        if fix:
            told.append(f"  fix:      {fix}")
        super().__init__("\n".join(re.sub(r"\s*\n\s*", " ", line) for line in told))

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process as it is: made there anew of what it says, its lines would become one."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class RequestError(SrexpError):
    """A request that is wrong in itself: configuration, missing file, unusable data set."""

    exit_code = 2


def some(names: Sequence[str], most: int = 3, rest: str = "more") -> str:
    """Name the first few of what may be many.

    Args:
        names: All of them.
        most: How many are named.
        rest: What the others are called.

    Returns:
        The names, and how many others there are.

    Example:
        >>> some(["a", "b", "c"], 2), some(["a", "b", "c"])
        ('a, b and 1 more', 'a, b, c')
    """
    others = f" and {len(names) - most} {rest}" if len(names) > most else ""
    return ", ".join(names[:most]) + others


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Name the nearest of the choices, as the end of a sentence.

    Args:
        word: What the user typed.
        choices: What exists.

    Returns:
        `did you mean NAME?`, or the empty string when nothing is near.

    Example:
        >>> did_you_mean("vdsrr", ["srcnn", "vdsr"])
        'did you mean vdsr?'
    """
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""


def checked_by(check: Callable[..., None]) -> Callable[[Callable[_Given, _Built]], Callable[_Given, _Built]]:
    """Let a function or a class refuse arguments before it does anything, and others ask beforehand whether it would.

    Args:
        check: Raises RequestError; is given those of the function's arguments that it names, or all of them.

    Returns:
        A decorator; what it makes has the check as its attribute `check`.
    """

    def decorate(build: Callable[_Given, _Built]) -> Callable[_Given, _Built]:
        signature, wanted = inspect.signature(build), inspect.signature(check).parameters
        takes_all = any(each.kind is each.VAR_KEYWORD for each in wanted.values())

        def refuse(*arguments: Any, **options: Any) -> None:
            given = signature.bind(*arguments, **options)
            given.apply_defaults()
            check(**{key: value for key, value in given.arguments.items() if takes_all or key in wanted})

        @functools.wraps(build, updated=())  # a class would hand its methods over
        def built(*arguments: _Given.args, **options: _Given.kwargs) -> _Built:
            refuse(*arguments, **options)
            return build(*arguments, **options)

        vars(built)["check"] = refuse
        return built

    return decorate
