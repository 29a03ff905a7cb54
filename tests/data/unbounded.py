"""A question asked of a reader within bounds and without: what keeps a file within them changes no answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import numpy as np

from srexp.data.formats import registry
from srexp.data.image import Stored, UnreadableImageError


@singledispatch
def said(answer: Any) -> Any:
    """All that an answer says, to be compared with another."""
    return answer


@said.register
def _(answer: Stored) -> Any:
    return answer.pixels.dtype, answer.digest(), answer.bits, answer.lossy, answer.display


@said.register
def _(answer: np.ndarray) -> Any:
    return answer.dtype, answer.shape, answer.tobytes()


@said.register
def _(answer: tuple) -> Any:
    """What is not the description of a new object, which has the time in it."""
    return [each for each in answer if not isinstance(each, np.ndarray)]


@said.register
def _(answer: UnreadableImageError) -> Any:
    return type(answer), answer.told()


def outcome(ask: Callable[..., Any], *arguments: Any) -> Any:
    """What a question leads to, an answer or a refusal."""
    try:
        return said(ask(*arguments))
    except UnreadableImageError as error:
        return said(error)


class Begun(registry.Begun):  # type: ignore[type-arg]
    """A call within bounds that must lead to what the same call leads to without."""

    def __init__(self, returns: Any, function: Any, *arguments: Any) -> None:
        super().__init__(returns, function, *arguments)
        self._expected = outcome(function, *arguments)

    def __call__(self) -> Any:
        answer, refusal = None, None
        try:
            answer = super().__call__()
        except UnreadableImageError as error:
            refusal = error
        assert said(refusal or answer) == self._expected
        if refusal:
            raise refusal
        return answer
