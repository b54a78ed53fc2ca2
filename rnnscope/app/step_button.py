"""A button of the transport with the key that does the same."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QToolButton, QWidget

WIDTH = 36  # pixels


def step_button(parent: QWidget, text: str, tip: str, key: str, slot: Callable[[], None]) -> QToolButton:
    """Does `slot` when it is clicked, and when the key is pressed anywhere in the window."""
    button = QToolButton(parent)
    button.setText(text)
    button.setToolTip(f"{tip} ({key})")
    button.setAccessibleName(tip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    button.setFixedWidth(WIDTH)
    button.clicked.connect(slot)
    shortcut = QShortcut(QKeySequence(key), parent, context=Qt.ShortcutContext.WindowShortcut)
    shortcut.activated.connect(slot)
    return button
