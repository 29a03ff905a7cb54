"""A generator in a thread of its own, one value ahead."""

from __future__ import annotations

import threading

import pytest

from srexp.system.one_ahead import one_ahead


def test_values_are_made_and_closed_in_one_thread_in_their_order():
    threads = set()

    def values():
        try:
            for number in range(5):
                threads.add(threading.get_ident())
                yield number
        finally:
            threads.add(threading.get_ident())

    with one_ahead(values()) as taken:
        assert list(taken) == [0, 1, 2, 3, 4]
    assert len(threads - {threading.get_ident()}) == len(threads) == 1
    threads.clear()
    with one_ahead(values()) as taken:
        assert next(taken) == 0
    assert len(threads - {threading.get_ident()}) == len(threads) == 1


@pytest.mark.parametrize("light", [True, False])
def test_the_next_value_is_made_meanwhile_and_none_behind_it(light):
    made, another = [], threading.Condition()

    def values():
        for number in range(4):
            with another:
                made.append(number)
                another.notify()
            yield number

    with one_ahead(values(), lambda _: light) as taken:
        for number in taken:
            expected = min(4, number + 1 + light)
            with another:
                another.wait_for(lambda expected=expected: len(made) >= expected, timeout=60)
                another.wait_for(lambda expected=expected: len(made) > expected, timeout=0.1)
                assert len(made) == expected


def test_what_is_raised_reaches_who_takes_the_value():
    def values():
        yield 1
        raise ValueError("of the second one")

    with one_ahead(values()) as taken:
        assert next(taken) == 1
        with pytest.raises(ValueError, match="second"):
            next(taken)


def test_whoever_takes_no_more_waits_for_the_value_that_is_being_made_and_for_no_other():
    made, begun = [], threading.Event()

    def values():
        for number in range(9):
            if number:
                begun.set()
            made.append(number)
            yield number

    def interrupted():
        with one_ahead(values()) as taken:
            next(taken)
            assert begun.wait(60)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert made == [0, 1]
