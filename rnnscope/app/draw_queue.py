"""One dock at a time: between two of them the window answers the hand."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

PERIOD = 3  # ms between two drawings


class DrawQueue(QObject):
    """Calls what was asked for, each once, one in each turn of the event loop."""

    def __init__(self, parent: QObject):
        super().__init__(parent)
        self._asked: dict[Callable[[], None], None] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(PERIOD)
        self._timer.timeout.connect(self._on_time)

    @property
    def waiting(self) -> bool:
        """Whether something is still to be drawn."""
        return bool(self._asked)

    def ask(self, draw: Callable[[], None]) -> None:
        """Have `draw` called soon; asking again before that changes nothing."""
        self._asked[draw] = None
        if not self._timer.isActive():
            self._timer.start()

    def _on_time(self) -> None:
        if self._asked:
            draw = next(iter(self._asked))
            del self._asked[draw]
            draw()
        if not self._asked:
            self._timer.stop()
