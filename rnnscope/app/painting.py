"""A paint that fails leaves a gap in the picture and says so."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps

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
