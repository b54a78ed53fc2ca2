"""The mouse over a plot: scrub, choose, zoom and pan."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import Qt

from rnnscope.app.cursor import Cursor


class TimeBox(pg.ViewBox):
    """A view box whose mouse moves the shared cursor: drag scrubs, wheel zooms, right drag pans, double click shows all.

    Over axes that are not time the mouse does nothing.
    """

    def __init__(self, cursor: Cursor):
        super().__init__(enableMenu=False, enableMouse=False, defaultPadding=0)
        self.cursor = cursor
        self.of_time = self.of_units = False

    def mouseDragEvent(self, event, axis=None):
        """Scrub with the left button, pan with the others."""
        event.accept()
        if not self.of_time:
            return
        if event.button() == Qt.MouseButton.LeftButton:
            self._scrub(event.pos(), choose=False)
        else:
            self.cursor.pan(self._time(event.lastPos()) - self._time(event.pos()))

    def mouseClickEvent(self, event):
        """Put the cursor here, and choose the unit in a heatmap."""
        if event.button() != Qt.MouseButton.LeftButton or not self.of_time:
            event.ignore()
            return
        event.accept()
        if event.double():
            self.cursor.show_all()
        else:
            self._scrub(event.pos(), choose=True)

    def wheelEvent(self, event, axis=None):
        """Zoom time around the pointer."""
        if not self.of_time:
            event.ignore()
            return
        event.accept()
        self.cursor.zoom(0.999 ** event.delta(), self._time(event.pos()))

    def _time(self, point) -> float:
        return self.mapToView(point).x()

    def _scrub(self, point, choose: bool) -> None:
        here = self.mapToView(point)
        self.cursor.move(here.x())
        if choose and self.of_units:
            self.cursor.choose(unit=round(here.y()))
