"""The thin strip above a dock by which it is moved: the plots carry their own titles."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

HEIGHT, MARK = 8, 28  # pixels


class Grip(QWidget):
    """A title bar without a title: drag moves the dock, double click floats it or puts it back."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setCursor(Qt.CursorShape.SizeAllCursor)
        self.setToolTip("Drag to move, double-click to float")

    def sizeHint(self) -> QSize:
        """As high as the gap between two plots."""
        return QSize(MARK, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """The same."""
        return self.sizeHint()

    def paintEvent(self, event) -> None:
        """Draw the mark only under the pointer: at rest a plot has no frame."""
        if self.underMouse():
            mark = QRect((self.width() - MARK) // 2, HEIGHT // 2 - 1, MARK, 2)
            QPainter(self).fillRect(mark, self.palette().placeholderText())

    def enterEvent(self, event) -> None:
        """Show the mark."""
        self.update()

    def leaveEvent(self, event) -> None:
        """Hide the mark."""
        self.update()
