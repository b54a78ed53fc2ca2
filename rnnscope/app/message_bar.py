"""The line under the menu that says what happened, with details where there are any."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget


class MessageBar(QFrame):
    """One message at a time; it never blocks anything."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("problem")
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 4, 8, 4)
        row = QHBoxLayout()
        column.addLayout(row)
        self.label = QLabel(self)
        self.label.setWordWrap(True)
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
        """Show a message in place of the last."""
        self.label.setText(text)
        self.details.setPlainText(details)
        self.details.hide()
        self.details_button.setVisible(bool(details))
        self.show()

    def _on_details(self) -> None:
        self.details.setVisible(self.details.isHidden())
