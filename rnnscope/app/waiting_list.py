"""The trainings that wait for the one under way, each with a button that takes it out of the queue."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QListWidget, QListWidgetItem, QToolButton, QWidget

from rnnscope.app.waiting import Waiting

ROW_HEIGHT, MOST_ROWS = 24, 4  # pixels of a row, rows in sight


class WaitingList(QListWidget):
    """Is there only while something waits."""

    dropped = Signal(object)

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setAccessibleName("Waiting trainings")
        self.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self._shown: list[Waiting] | None = None

    def show_queue(self, queue: Sequence[Waiting]) -> None:
        """Show what waits, the next one first."""
        if list(queue) == self._shown:
            return
        self._shown = list(queue)
        self.clear()
        for waiting in queue:
            item = QListWidgetItem(self)
            item.setSizeHint(QSize(1, ROW_HEIGHT))
            self.setItemWidget(item, self._row(waiting))
        self.setFixedHeight(ROW_HEIGHT * min(len(queue), MOST_ROWS) + 2)
        self.setVisible(bool(queue))

    def _row(self, waiting: Waiting) -> QWidget:
        page = QWidget(self)
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        words = QLabel(f"waiting: {waiting.name}", page)
        words.setObjectName("faint")
        button = QToolButton(page)
        button.setObjectName("measure")
        button.setText("Remove")
        button.setToolTip(f"Take {waiting.name} out of the queue")
        button.clicked.connect(partial(self.dropped.emit, waiting))
        row.addWidget(words, 1, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
        return page
