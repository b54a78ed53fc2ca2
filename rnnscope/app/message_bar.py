"""The line under the menu that says what happened, with details where there are any."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

TOGETHER, MOST_LINES, LONGEST = 2.0, 4, 600  # seconds; lines; letters


class MessageBar(QFrame):
    """One message at a time; it never blocks anything."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("problem")
        self._lines: list[str] = []
        self._told = 0.0
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 4, 8, 4)
        row = QHBoxLayout()
        column.addLayout(row)
        self.label = QLabel(self)
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.details_button = QPushButton("Details", self)
        self.details_button.clicked.connect(self._on_details)
        close = QPushButton("Dismiss", self)
        close.clicked.connect(self.hide)
        row.addWidget(self.label, 1)
        row.addWidget(self.details_button)
        row.addWidget(close)
        self.details = QPlainTextEdit(self)
        self.details.setReadOnly(True)
        self.details.setMaximumHeight(200)
        column.addWidget(self.details)
        self.hide()

    def tell(self, text: str, details: str = "") -> None:
        """Show a message in place of the last, or under it if that came a moment ago."""
        now = time.monotonic()
        fresh = self.isVisible() and now - self._told < TOGETHER
        self._lines = [*self._lines[1 - MOST_LINES :], text] if fresh else [text]
        self._told = now
        self.label.setText("\n".join(line if len(line) < LONGEST else line[:LONGEST] + "…" for line in self._lines))
        self.details.setPlainText(details)
        self.details.hide()
        self.details_button.setVisible(bool(details))
        self.show()

    def _on_details(self) -> None:
        self.details.setVisible(self.details.isHidden())
