"""Values that are made in a thread, each while what came before it is used."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

_Value = TypeVar("_Value")


@contextmanager
def one_ahead(
    values: Generator[_Value, None, None], light: Callable[[_Value], bool] = lambda _: True
) -> Iterator[Iterator[_Value]]:
    """Let a generator run in a thread of its own, one value ahead of whoever takes them.

    Args:
        values: They are made in that thread alone, which closes it, too.
        light: Whether there is room for the next value beside this one; it is made when it is asked for otherwise.

    Yields:
        The same values.

    Example:
        >>> with one_ahead(number**2 for number in range(3)) as squares:
        ...     print(*squares)
        0 1 4
    """
    with ThreadPoolExecutor(1, thread_name_prefix="srexp ahead") as thread:
        try:
            yield _taken(lambda: thread.submit(_step, values), light)
        finally:
            thread.submit(values.close)


def _step(values: Iterator[_Value]) -> list[_Value]:
    """Make the next value; an empty list is the end."""
    return list(islice(values, 1))


def _taken(begin: Callable[[], Future[list[_Value]]], light: Callable[[_Value], bool]) -> Iterator[_Value]:
    coming = begin()
    while made := coming.result():
        value = made.pop()  # the call that made it keeps no other hold of it
        if ahead := light(value):
            coming = begin()
        yield value
        del value
        if not ahead:
            coming = begin()
