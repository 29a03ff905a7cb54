import contextlib
import signal
import sys
import threading
import time

import pytest

from srexp.system.signals import AGAIN_SECONDS, SIGNALS, Interrupted, ctrl_c_ignored, ctrl_c_raises, interruptible


@pytest.mark.parametrize("number", SIGNALS)
def test_a_request_to_end_is_handled_like_ctrl_c(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt) as stop, interruptible():
        signal.raise_signal(number)
    assert isinstance(stop.value, Interrupted)
    assert str(stop.value) == signal.Signals(number).name
    assert stop.value.exit_code == 130
    assert signal.getsignal(number) == before


def test_a_repeated_request_does_not_break_the_orderly_end():
    ended = False
    with pytest.raises(Interrupted), interruptible():  # noqa: PT012 - the context is what is tested
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            ended = True
    assert ended


def test_a_request_while_closing_waits_until_the_end():
    closed = False
    with pytest.raises(Interrupted), interruptible() as shield:  # noqa: PT012 - the context is what is tested
        shield.closing = True
        signal.raise_signal(signal.SIGTERM)
        closed = True
    assert closed


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_contexts_nest():
    with interruptible() as outer:
        with pytest.raises(Interrupted), interruptible():
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == outer.handle
    assert outer.received is None


def test_a_repeated_request_does_not_break_the_orderly_end_in_an_outer_context_either():
    ended = []
    with pytest.raises(Interrupted), interruptible():  # noqa: PT012 - the context is what is tested
        try:
            with interruptible():
                signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            ended.append("told how to go on")
    assert ended == ["told how to go on"]


def test_ctrl_c_raises_whatever_it_did_before():
    did = []
    before = signal.signal(signal.SIGINT, lambda *_: did.append("something else"))
    try:
        with pytest.raises(KeyboardInterrupt), ctrl_c_raises():
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with ctrl_c_raises():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert did == ["something else"]


def test_other_threads_change_no_handler():
    before, inside = signal.getsignal(signal.SIGTERM), []

    def work():
        with interruptible():
            inside.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]


def test_an_interruption_that_c_code_made_another_error_of_is_still_one():
    with pytest.raises(Interrupted) as stop, interruptible():  # noqa: PT012 - the context is what is tested
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error
    assert isinstance(stop.value.__cause__, ImportError)


def test_an_error_before_the_signal_stays_what_it_was():
    with pytest.raises(ValueError, match="the work failed"), interruptible() as shield:  # noqa: PT012
        try:
            raise ValueError("the work failed")
        finally:
            shield.closing = True
            signal.raise_signal(signal.SIGTERM)


def test_an_interruption_that_a_library_swallowed_comes_again():
    with pytest.raises(Interrupted), interruptible():  # noqa: PT012 - the context is what is tested
        with contextlib.suppress(BaseException):  # as TensorFlow does here and there while it traces a function
            signal.raise_signal(signal.SIGTERM)
        time.sleep(60)
        pytest.fail("the signal was lost")


def test_a_second_request_counts_where_the_first_was_swallowed():
    with pytest.raises(Interrupted), interruptible():  # noqa: PT012 - the context is what is tested
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("the signal was lost")


@pytest.mark.slow
def test_a_slow_orderly_end_is_left_alone():
    ended = []
    with pytest.raises(Interrupted), interruptible() as shield:  # noqa: PT012 - the context is what is tested
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            try:
                int("something else on the way")
            except ValueError:
                time.sleep(3 * AGAIN_SECONDS)
            ended.append("cleaned up")
            shield.closing = True
            time.sleep(3 * AGAIN_SECONDS)
            ended.append(shield.waiting)
    assert ended == ["cleaned up", None]
    time.sleep(2 * AGAIN_SECONDS)  # nothing comes afterwards, which would end this process


def test_an_interruption_that_python_ignored_comes_again():
    class Dying:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    hook = sys.unraisablehook
    with pytest.raises(Interrupted), interruptible():  # noqa: PT012 - the context is what is tested
        Dying()
        time.sleep(60)
        pytest.fail("the signal was lost")
    assert sys.unraisablehook is hook


def test_another_thread_ignores_no_ctrl_c():
    before, inside = signal.getsignal(signal.SIGINT), []

    def work():
        with ctrl_c_ignored():
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]
    with ctrl_c_ignored():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is before
