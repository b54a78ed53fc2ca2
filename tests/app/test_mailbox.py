"""The hand-over between the threads: nothing is lost, the newest trace wins."""

from __future__ import annotations

import threading

import numpy as np

from rnnscope.app.mailbox import Frame, Mailbox


def _frame(values, trace=None, run=1):
    return Frame(run, np.array(values, np.float32), np.array(values, np.float32) * 2, 1.0, 2.0, "cpu", trace)


def test_scalars_accumulate_and_the_newest_trace_wins():
    box, old, new = Mailbox(), object(), object()
    box.put(_frame([1, 2], old))
    box.put(_frame([3], new))
    box.put(_frame([4]))
    frame = box.take()
    assert frame.loss.tolist() == [1, 2, 3, 4]
    assert frame.gradient_norm.tolist() == [2, 4, 6, 8]
    assert frame.trace is new
    assert box.take() is None


def test_taking_is_what_asks_for_the_next():
    box = Mailbox()
    assert box.wants
    box.put(_frame([1]))
    assert not box.wants
    box.take()
    assert box.wants


def test_no_scalar_is_lost_between_two_threads():
    box, got = Mailbox(), []

    def produce():
        for value in range(5000):
            box.put(_frame([value]))

    thread = threading.Thread(target=produce)
    thread.start()
    while thread.is_alive():
        if frame := box.take():
            got.extend(frame.loss.tolist())
    thread.join()
    if frame := box.take():
        got.extend(frame.loss.tolist())
    assert got == list(range(5000))
