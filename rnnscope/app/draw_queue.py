"""One dock at a time: between two of them the window answers the hand, and what takes longer is done beside it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, QTimer

PERIOD = 3  # ms between two drawings

Draw = Callable[[], None]
Show = Callable[[Any], None]


class DrawQueue(QObject):
    """Calls what was asked for, each once, one in each turn of the event loop; and has long work done on one thread.

    The thread sees nothing but the work, which may touch frozen values only, and never Qt: its result is fetched from here.
    It begins with the first long work and has ended when the queue is gone.
    """

    def __init__(self, parent: QObject):
        super().__init__(parent)
        self._asked: dict[Draw, None] = {}
        self._long: dict[Show, Callable[[], Any]] = {}
        self._under_way: tuple[Show, Future] | None = None
        self._painter = ThreadPoolExecutor(1, "painter")
        self._timer = QTimer(self)
        self._timer.setInterval(PERIOD)
        self._timer.timeout.connect(self._on_time)
        self.destroyed.connect(_Ending(self._painter))

    @property
    def waiting(self) -> bool:
        """Whether something is still to be drawn."""
        return bool(self._asked or self._long or self._under_way)

    def ask(self, draw: Draw) -> None:
        """Have `draw` called soon; asking again before that changes nothing."""
        self._asked[draw] = None
        self._begin()

    def ask_long(self, work: Callable[[], Any], show: Show) -> None:
        """Have `show` called with what `work` returns on the thread. Older work for the same `show` that has not begun is
        left out; what has begun is shown first, so that a picture follows a hand that is faster.
        """
        self._long[show] = work
        self._begin()

    def drop(self, show: Show) -> None:
        """Nothing older is to be shown by `show` any more."""
        self._long.pop(show, None)
        if self._under_way and self._under_way[0] == show:
            self._under_way = None

    def _begin(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _on_time(self) -> None:
        if self._under_way is None and self._long:
            show = next(iter(self._long))
            self._under_way = show, self._painter.submit(self._long.pop(show))
        if self._under_way and self._under_way[1].done():
            (show, future), self._under_way = self._under_way, None
            show(future.result())
        elif self._asked:
            draw = next(iter(self._asked))
            del self._asked[draw]
            draw()
        if not self.waiting:
            self._timer.stop()


class _Ending:
    """Ends the thread: what has begun is waited for, and the rest is left."""

    def __init__(self, painter: ThreadPoolExecutor):
        self._painter = painter

    def __call__(self, _gone: QObject | None = None) -> None:
        self._painter.shutdown(wait=True, cancel_futures=True)
