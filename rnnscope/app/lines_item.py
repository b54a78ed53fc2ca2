"""Lines on the screen: all curves of a mark and their bands, of what is in sight."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath

from rnnscope.app.painting import Cover, guarded
from rnnscope.app.pyramids import DENSE, Curves
from rnnscope.app.theme import Theme
from rnnscope.views.plot import Lines

DASHES = {
    "solid": Qt.PenStyle.SolidLine,
    "dashed": Qt.PenStyle.DashLine,
    "dotted": Qt.PenStyle.DotLine,
    "dashdot": Qt.PenStyle.DashDotLine,
}
INKED = {
    "solid": (1,),
    "dashed": (1, 1, 1, 1, 0, 0),
    "dotted": (1, 0, 0),
    "dashdot": (1, 1, 1, 1, 0, 0, 1, 0, 0),
}  # columns
SHADE = 0.14  # opacity of a band


class LinesItem(Cover):
    """Draws each curve over its band: point by point, or where these are dense, a bar in each column of pixels."""

    def __init__(self, mark: Lines, box: pg.ViewBox, theme: Theme):
        super().__init__(box)
        self._styles = mark.styles
        self._colours = [QColor(theme.colour(style.colour)) for style in mark.styles]
        self._curves: Curves | None = None
        box.addItem(self, ignoreBounds=True)

    def take(self, mark: Lines, log: bool, pyramid: Curves) -> None:
        """Show other values of as many curves."""
        if pyramid is not self._curves:
            self._curves = pyramid
            self.update()

    @guarded
    def paint(self, painter: QPainter, option, widget=None) -> None:
        """Draw what is in sight."""
        if self._curves is None or not len(self._curves.x):
            return
        low, high = self._box.viewRange()[0]
        pixels = (high - low) * abs(painter.combinedTransform().m11())
        for curve, colour in enumerate(self._colours):
            shade = QColor(colour)
            shade.setAlphaF(SHADE)
            painter.fillPath(self._band(curve, low, high, pixels), shade)
        if self._curves.density(low, high, pixels) < DENSE:
            self._paint_points(painter, low, high)
        else:
            self._paint_columns(painter)

    def _band(self, *seen) -> QPainterPath:
        band = QPainterPath()
        for x, low, high in self._curves.outlines(*seen):
            around = np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]])
            band.addPolygon(pg.functions.arrayToQPolygonF(*around))
        return band

    def _paint_points(self, painter: QPainter, low: float, high: float) -> None:
        x, curves = self._curves.points(low, high)
        for y, style, colour in zip(curves, self._styles, self._colours, strict=True):
            # a pen of width 2 costs 5-9 times a pen of width 1
            painter.strokePath(pg.arrayToQPath(x, y, "finite"), pg.mkPen(colour, width=1, style=DASHES[style.dash]))

    def _paint_columns(self, painter: QPainter) -> None:
        """Bars of pixels, from the smallest to the largest of each column; Qt's own strokes take ten times as long."""
        transform = painter.combinedTransform()
        area = transform.mapRect(self._box.viewRect())
        left, top = math.floor(area.left()), math.floor(area.top())
        width, height = math.ceil(area.right()) - left, math.ceil(area.bottom()) - top
        seen = ((edge - transform.dx()) / transform.m11() for edge in (left, left + width))
        ends = [values * transform.m22() + (transform.dy() - top) for values in self._curves.columns(*seen, width)]
        lower, upper = (np.floor(values).clip(-1, height).astype(np.int16)[:, None] for values in ends)
        picture, rows = np.zeros((height, width), np.uint32), np.arange(height, dtype=np.int16)[:, None]
        for style, colour, first, last in zip(self._styles, self._colours, upper, lower, strict=True):
            used = slice(max(first.min(), 0), max(last.max() + 1, 0))
            down = (rows[used] - first).view(np.uint16)  # from the first; what is above it wraps around to large numbers
            bars = down < (last + 1 - first).clip(0).view(np.uint16)
            if len(pattern := INKED[style.dash]) > 1:
                bars &= np.array(pattern, bool)[np.arange(width) % len(pattern)]
            np.copyto(picture[used], np.uint32(colour.rgba()), where=bars)
        image = QImage(picture.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
        ratio = painter.device().devicePixelRatio()
        image.setDevicePixelRatio(ratio)
        painter.save()
        painter.resetTransform()
        painter.drawImage(QPointF(left / ratio, top / ratio), image)
        painter.restore()
