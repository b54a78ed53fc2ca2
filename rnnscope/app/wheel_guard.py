"""Scrolling past a field must not change it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QWidget


class WheelGuard(QObject):
    """Lets a field have the wheel only while it has the focus."""

    @classmethod
    def watch(cls, field: QWidget) -> None:
        """Guard a field, as long as it lives."""
        if field.focusPolicy() == Qt.FocusPolicy.WheelFocus:
            field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        field.installEventFilter(cls(field))

    def eventFilter(self, field: QObject, event: QEvent) -> bool:
        """Pass a wheel over a field without focus on to what it lies in."""
        if event.type() == QEvent.Type.Wheel and not field.hasFocus():
            event.ignore()
            return True
        return False
