"""What all marks on the screen have in common: they cover their panel, and a paint that fails leaves a gap and says so."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps

import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter


def guarded(paint: Callable) -> Callable:
    """Hand what goes wrong in a `paint` to the exception hook. PySide6 cannot pass an exception on through the scene
    that asked for the paint: it would end the process.
    """

    @wraps(paint)
    def paint_or_tell(self, painter: QPainter, option, widget=None) -> None:
        try:
            paint(self, painter, option, widget)
        except Exception:
            sys.excepthook(*sys.exc_info())

    return paint_or_tell


class Cover(pg.GraphicsObject):
    """What is drawn over all of a panel's box."""

    def __init__(self, box: pg.ViewBox):
        super().__init__()
        self._box = box

    def boundingRect(self) -> QRectF:
        """All of the panel."""
        return self._box.viewRect()

    def viewTransformChanged(self) -> None:
        """The panel has another size or other limits."""
        self.prepareGeometryChange()
