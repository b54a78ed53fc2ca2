"""Python's cyclic garbage collection, kept on the GUI thread and away from busy moments."""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

from rnnscope.app.session import Session

PERIOD = 2000  # ms


class Collector(QObject):
    """Collects young objects while a training runs and all of them when nothing does.

    Widgets collected on a worker thread crash, and a full collection walks the whole autograd graph of the training under
    way: so the interpreter's own collector is off and what was imported is frozen.
    """

    def __init__(self, session: Session):
        super().__init__(session)
        self.session = session
        self._before = gc.isenabled()
        gc.collect()
        gc.freeze()
        gc.disable()
        timer = QTimer(self)
        timer.setInterval(PERIOD)
        timer.timeout.connect(self._on_time)
        timer.start()

    def restore(self) -> None:
        """Leave the interpreter's collector as it was."""
        gc.unfreeze()
        if self._before:
            gc.enable()

    def _on_time(self) -> None:
        gc.collect(0 if self.session.busy else 2)
