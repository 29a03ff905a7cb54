import threading
import time

import pytest

from srexp.tracking.buffer import MAX_BATCH, MetricBuffer


def test_points_arrive_in_order_with_their_own_steps_and_times():
    sent = []
    buffer = MetricBuffer(sent.extend, seconds=60)
    for step in range(1, 2501):
        buffer.add({"loss": 1 / step}, step=step, milliseconds=step * 10)
    assert buffer.close() == 0
    assert [point.step for point in sent] == list(range(1, 2501))
    assert all(point.milliseconds == point.step * 10 for point in sent)


def test_batches_keep_within_mlflow_s_limit():
    sizes = []
    buffer = MetricBuffer(lambda points: sizes.append(len(points)), seconds=60)
    buffer.add({f"m{index}": index for index in range(2 * MAX_BATCH + 1)}, step=0)
    buffer.close()
    assert sizes == [MAX_BATCH, MAX_BATCH, 1]


def test_points_are_sent_within_the_given_time_without_being_asked():
    arrived = threading.Event()
    buffer = MetricBuffer(lambda _: arrived.set(), seconds=0.05)
    buffer.add({"loss": 1.0}, step=1)
    assert arrived.wait(5)
    buffer.close()


def test_the_time_of_measuring_counts_and_not_that_of_sending():
    sent = []
    buffer = MetricBuffer(sent.extend, seconds=60)
    before = time.time() * 1000
    buffer.add({"loss": 1.0}, step=1)
    after = time.time() * 1000
    time.sleep(0.05)
    buffer.close()
    assert before - 1 <= sent[0].milliseconds <= after


def test_what_the_store_refuses_waits_in_order_and_is_said_once(caplog):
    sent, away = [], True

    def send(points):
        if away:
            raise ConnectionError("away")
        sent.extend(points)

    buffer = MetricBuffer(send, seconds=60)
    buffer.add({"a": 1.0}, step=1)
    assert buffer.flush() == 1
    buffer.add({"a": 2.0}, step=2)
    assert buffer.flush() == 2
    away = False
    assert buffer.close() == 0
    assert [point.step for point in sent] == [1, 2]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_closing_says_how_much_was_lost():
    def refuse(_):
        raise ConnectionError("away")

    buffer = MetricBuffer(refuse, seconds=60)
    buffer.add({"a": 1.0, "b": 2.0}, step=1)
    assert buffer.close() == 2


def test_an_interruption_while_sending_loses_nothing():
    sent, calls = [], iter([KeyboardInterrupt, None])

    def send(points):
        if error := next(calls):
            raise error
        sent.extend(points)

    buffer = MetricBuffer(send, seconds=60)
    buffer.add({"a": 1.0}, step=1)
    with pytest.raises(KeyboardInterrupt):
        buffer.flush()
    assert buffer.close() == 0
    assert len(sent) == 1


def test_several_threads_may_add_while_one_sends():
    sent = []
    buffer = MetricBuffer(sent.extend, seconds=0.001)
    threads = [
        threading.Thread(target=lambda: [buffer.add({"a": 1.0}, step=step) for step in range(500)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert buffer.close() == 0
    assert len(sent) == 2000


def test_adding_costs_training_next_to_nothing_when_the_store_is_slow():
    buffer = MetricBuffer(lambda _: time.sleep(0.2), seconds=0.01)
    begin = time.perf_counter()
    for step in range(50):
        buffer.add({f"m{index}": 0.0 for index in range(10)}, step=step)
    assert time.perf_counter() - begin < 0.1
    buffer.close()
