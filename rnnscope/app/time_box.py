"""The mouse over a plot: scrub, choose, zoom and pan."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import Qt

from rnnscope.app.cursor import Cursor
from rnnscope.app.mark_items import NEAR, PointsItem


class TimeBox(pg.ViewBox):
    """A view box whose mouse moves the shared cursor: drag scrubs, wheel zooms, right drag pans, double click shows all.

    Over iterations drag and click look back at the training. Over other axes a click on a dot does what its mark says, and
    nothing else does anything.
    """

    def __init__(self, cursor: Cursor):
        super().__init__(enableMenu=False, enableMouse=False, defaultPadding=0)
        self.cursor = cursor
        self.of_time = self.of_training = self.of_units = False
        self.dots: list[PointsItem] = []

    def mouseDragEvent(self, event, axis=None):
        """Scrub with the left button, pan with the others."""
        event.accept()
        if self.of_training and event.button() == Qt.MouseButton.LeftButton:
            self.cursor.look_back_to(self._time(event.pos()))
        if not self.of_time:
            return
        if event.button() == Qt.MouseButton.LeftButton:
            self._scrub(event.pos(), choose=False)
        else:
            self.cursor.pan(self._time(event.lastPos()) - self._time(event.pos()))

    def mouseClickEvent(self, event):
        """Put the cursor here, and choose the unit in a heatmap; or take the dot that was clicked on."""
        if event.button() != Qt.MouseButton.LeftButton or not (self.of_time or self.of_training or self.dots):
            event.ignore()
            return
        event.accept()
        if self.of_training:
            self.cursor.look_back_to(self._time(event.pos()))
        elif not self.of_time:
            self._take_dot(event.scenePos())
        elif event.double():
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

    def _take_dot(self, scene_point) -> None:
        far, index, item = min(((*item.nearest(scene_point), item) for item in self.dots), key=lambda found: found[0])
        if far > NEAR:
            return
        if item.chooses == "time":
            self.cursor.move(index + 1)
        elif item.chooses == "unit":
            self.cursor.choose(unit=index)

    def _time(self, point) -> float:
        return self.mapToView(point).x()

    def _scrub(self, point, choose: bool) -> None:
        here = self.mapToView(point)
        self.cursor.move(here.x())
        if choose and self.of_units:
            self.cursor.choose(unit=round(here.y()))
