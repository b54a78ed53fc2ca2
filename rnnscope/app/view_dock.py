"""A dock: a view, the shown Runs, the Cursor and a Canvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDockWidget, QWidget

from rnnscope.app.canvas import Canvas
from rnnscope.app.cursor import Cursor
from rnnscope.app.theme import Theme
from rnnscope.views import FOLLOWS_TIME, VIEWS, Plot, Subject

TITLES = {
    "input": "Input",
    "hidden": "Hidden state",
    "gates": "Gates",
    "attention": "Weight of the past",
    "gradient": "Gradient norm",
    "error": "Loss per time step",
    "loss": "Training loss",
    "reach": "How far back",
}


LEAST_HEIGHT = {"loss": 150, "reach": 150}  # pixels; 72 for the views over time


class ViewDock(QDockWidget):
    """Draws one view of the shown runs; while it is hidden it only remembers that it has to."""

    export_wanted = Signal(str)

    def __init__(self, view: str, cursor: Cursor, theme: Theme, subjects: Callable[[], Sequence[Subject]], parent: QWidget):
        super().__init__(TITLES.get(view, view.capitalize()), parent)
        self.view, self.cursor, self._subjects = view, cursor, subjects
        self.setObjectName(f"view-{view}")
        self.canvas = Canvas(cursor, theme, view == "input", self)
        self.canvas.setMinimumHeight(LEAST_HEIGHT.get(view, 72))
        self.canvas.setAccessibleName(self.windowTitle())
        self.setWidget(self.canvas)
        self.setTitleBarWidget(QWidget(self))
        self._stale = True
        export = QAction("Export this view…", self)
        export.triggered.connect(self._on_export)
        self.canvas.addAction(export)
        self.canvas.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        cursor.moved.connect(self._on_moved)
        cursor.chosen.connect(self.refresh)
        self.visibilityChanged.connect(self._on_visible)

    def plot(self) -> Plot:
        """The view of the shown runs at the cursor."""
        return VIEWS[self.view](self._subjects(), self.cursor.position)

    def refresh(self) -> None:
        """Draw again, now or when next visible."""
        self._stale = not self.isVisible()
        if not self._stale:
            self.canvas.draw(self.plot())

    def set_theme(self, theme: Theme) -> None:
        """Change colours."""
        self.canvas.set_theme(theme)
        self.refresh()

    def _on_moved(self) -> None:
        if self.view in FOLLOWS_TIME:
            self.refresh()
        elif self.isVisible():
            self.canvas.move()

    def _on_visible(self, visible: bool) -> None:
        if visible and self._stale:
            self.refresh()

    def _on_export(self) -> None:
        self.export_wanted.emit(self.view)
