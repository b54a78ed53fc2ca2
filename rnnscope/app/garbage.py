"""Python's cyclic garbage collection, kept on the GUI thread and away from busy moments."""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

from rnnscope.app.session import Session

PERIOD = 2000  # ms


class Collector(QObject):
    """Collects young objects while a training runs and all of them when nothing does.

    Widgets collected on a worker thread crash, and a full collection walks the whole autograd graph of the training under
    way: so the interpreter's own collector is off while there is a window, also during the imports, which it would only
    slow. What they leave is frozen as it is: to look through it once takes as long as ten frames, and nearly nothing of it
    is garbage.
    """

    def __init__(self, session: Session):
        super().__init__(session)
        self.session = session
        self._timer = QTimer(self)
        self._timer.setInterval(PERIOD)
        self._timer.timeout.connect(self._on_time)
        session.worker.ready.connect(self._on_ready)

    def _on_ready(self) -> None:
        gc.freeze()
        self._timer.start()

    def _on_time(self) -> None:
        gc.collect(0 if self.session.busy else 2)
