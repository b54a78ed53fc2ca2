"""Ongoing: the training under way, iteration by iteration, and the frames that show it. On the worker's thread."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from rnnscope.app.jobs import RECORDS, Cancelled, GaveWay, Held
from rnnscope.app.mailbox import Frame, Mailbox
from rnnscope.app.progress import PATIENCE, Progress
from rnnscope.core.trace import Trace

LEAST_PERIOD = 0.1  # seconds between frames: what they cost the training falls by half against 0.05
TRACE_SHARE = 0.04  # of the worker's time may go into traces


class Ongoing:
    """Pulls train(), and leaves in the mailbox what is new whenever the last frame was taken.

    Losses and gradient norms stay on the device until then. `refuse` gets what keeps a trace from being made.
    """

    def __init__(self, run: int, held: Held, mailbox: Mailbox, progress: Progress, refuse: Callable[[OSError], None]):
        from rnnscope.core.training import train, with_snapshots

        self.run, self.paused = run, False
        self._held, self._mailbox, self._progress, self._refuse = held, mailbox, progress, refuse
        self._updates = with_snapshots(held.model, train(held.model, wait=False))
        self._pending: list = []  # updates whose scalars are still on the device
        self._began = time.perf_counter()  # when the first of these was
        self._spent = 0.0  # seconds of iterations since then
        self._rate = self._alone = 0.0
        self._next_frame = self._next_trace = 0.0

    def iterate(self) -> bool:
        """Train one iteration; False if there are no more."""
        began = time.perf_counter()
        update = next(self._updates, None)
        if update is None:
            return False
        self._pending.append(update)
        now = time.perf_counter()
        self._spent += now - began
        if now >= self._next_frame and self._mailbox.wants:
            self.publish()
        return True

    def pause(self, paused: bool, gone: Callable[[], bool]) -> None:
        """Hold, with a last frame as in `publish`; or go on."""
        self.paused = paused
        if paused:
            self.publish(gone)
        self._began = time.perf_counter()

    def close(self) -> None:
        """Leave a last frame, however long that takes."""
        try:
            self._updates.close()
            self.publish(lambda: False)
        finally:
            self._held.model.eval()

    def publish(self, gone: Callable[[], bool] | None = None) -> None:
        """Hand over what is new. A trace is made as often as TRACE_SHARE of the time allows; and anyway, and however long
        that takes, if `gone` tells when it is no longer waited for.
        """
        from rnnscope.core.training import scalars

        model, now = self._held.model, time.perf_counter()
        loss, norm = scalars(self._pending)
        self._spent += time.perf_counter() - now  # a GPU is waited for here
        model.history = model.history.extended(loss, norm)
        if loss.size:
            self._rate = _smoothed(self._rate, loss.size / (now - self._began))
            self._alone = _smoothed(self._alone, loss.size / self._spent)
        self._pending, self._began, self._spent = [], now, 0.0
        trace = self._trace(gone) if gone or now >= self._next_trace else None
        device = f"{model.device} · {model.network.engine}"
        self._mailbox.put(Frame(self.run, loss, norm, self._rate, self._alone, device, trace, model.snapshots.iterations))
        self._next_frame = now + LEAST_PERIOD

    def _trace(self, gone: Callable[[], bool] | None) -> Trace | None:
        """None if it was given up, if it takes long and there is something else to do, or if there is no room for it."""

        def between(done: float) -> None:
            if gone and gone():
                raise GaveWay
            self._progress.look_up(self.run, done, not gone and done < 1 and time.perf_counter() > began + PATIENCE)

        self._progress.starts(RECORDS, after=None if gone else math.inf)
        began, trace = time.perf_counter(), None
        self._next_trace = math.inf
        try:
            trace = self._held.trace(between)
        except (Cancelled, GaveWay):
            pass
        except OSError as error:
            self._refuse(error)
            return None
        self._next_trace = began + (time.perf_counter() - began) / TRACE_SHARE
        return trace


def _smoothed(before: float, now: float) -> float:
    return 0.8 * before + 0.2 * now if before else now
