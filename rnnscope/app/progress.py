"""Progress: how far something long is, told now and then, and whether it is to go on at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from rnnscope.app.jobs import Cancelled, GaveWay

PATIENCE = 0.3  # seconds from which on something takes long
PERIOD = 0.05  # seconds between two words on it


class Progress:
    """What takes long looks up between two portions of its work: it is told of then, or ended.

    tell    gets the run, the share that is done and what is done, in words for the window with {} for the run
    others  whether something else is to be done
    over    whether nothing is to be done any more
    """

    def __init__(self, tell: Callable[[int, float, str], None], others: Callable[[], bool], over: Callable[[], bool]):
        self._tell, self._others, self._over = tell, others, over
        self._cancel = Event()
        self._doing, self._next = "", 0.0

    def cancel(self) -> None:
        """Have what is under way end; any thread may."""
        self._cancel.set()

    def starts(self, doing: str, after: float | None = None) -> None:
        """Something begins that may take long, and is told of if it goes on for so many seconds; else for PATIENCE."""
        self._cancel.clear()
        self._doing, self._next = doing, time.perf_counter() + (PATIENCE if after is None else after)

    def look_up(self, run: int, done: float, gives_way: bool = True) -> None:
        """Tell how far it is. Raises Cancelled if it was given up, GaveWay if something else is to be done first."""
        if self._cancel.is_set() or self._over():
            raise Cancelled
        if gives_way and self._others():
            raise GaveWay
        if time.perf_counter() >= self._next:
            self._next = time.perf_counter() + PERIOD
            self._tell(run, done, self._doing)
