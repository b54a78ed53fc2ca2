"""The marks of a Plot as pyqtgraph items: one item per mark, updated in place."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainterPath, QPen

from rnnscope.app.theme import Theme, palette
from rnnscope.views.plot import Heatmap, Lines, Mark

DASHES = {
    "solid": Qt.PenStyle.SolidLine,
    "dashed": Qt.PenStyle.DashLine,
    "dotted": Qt.PenStyle.DotLine,
    "dashdot": Qt.PenStyle.DashDotLine,
}


def make_item(mark: Mark, box: pg.ViewBox, theme: Theme) -> LinesItem | HeatmapItem:
    """Put an empty item of the right kind into `box`; its `update` shows the mark."""
    return (HeatmapItem if isinstance(mark, Heatmap) else LinesItem)(mark, box, theme)


class LinesItem:
    """Curves of one Lines mark, and their bands."""

    def __init__(self, mark: Lines, box: pg.ViewBox, theme: Theme):
        self.curves, self.bands = [], []
        for style in mark.styles:
            colour = QColor(theme.colour(style.colour))
            if mark.low is not None:
                band = pg.QtWidgets.QGraphicsPathItem()
                shade = QColor(colour)
                shade.setAlphaF(0.14)
                band.setBrush(shade)
                band.setPen(QPen(Qt.PenStyle.NoPen))
                box.addItem(band, ignoreBounds=True)
                self.bands.append(band)
            # a pen of width 2 costs 5-9 times a pen of width 1
            curve = pg.PlotCurveItem(pen=pg.mkPen(colour, width=1, style=DASHES[style.dash]), connect="finite")
            box.addItem(curve, ignoreBounds=True)
            self.curves.append(curve)

    def update(self, mark: Lines, log: bool) -> None:
        """Show another mark with as many curves."""
        transform = log10 if log else np.asarray
        x = np.asarray(mark.x, float)
        for curve, y in zip(self.curves, mark.y, strict=True):
            curve.setData(x, transform(y))
        for k, band in enumerate(self.bands):
            band.setPath(_outline(x, transform(mark.low[k]), transform(mark.high[k])))


class HeatmapItem:
    """One image for one Heatmap: 8 bits, the palette as its lookup table."""

    def __init__(self, mark: Heatmap, box: pg.ViewBox, theme: Theme):
        colours = palette(mark.palette, theme)
        nothing = np.array([QColor(theme.line).getRgb()[:3]], np.uint8)
        self.image = pg.ImageItem(axisOrder="row-major")
        self.image.setLookupTable(np.concatenate([colours[:255], nothing]))
        box.addItem(self.image, ignoreBounds=True)

    def update(self, mark: Heatmap, log: bool) -> None:
        """Show other values."""
        scaled = (mark.values.astype(np.float64) - mark.low) * (254 / (mark.high - mark.low))
        gaps = ~np.isfinite(scaled)
        levels = np.clip(np.where(gaps, 0, scaled), 0, 254).round().astype(np.uint8)
        levels[gaps] = 255
        self.image.setImage(levels, autoLevels=False, levels=(0, 255))
        rows, columns = levels.shape
        self.image.setRect(QRectF(0.5, -0.5, columns, rows))


def log10(values):
    """log10 with everything that has none as NaN, which is drawn as a gap."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(values)
    return np.where(np.isfinite(logs), logs, np.nan)[()]


def _outline(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> QPainterPath:
    """The closed outline of a band where it is finite."""
    known = np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return QPainterPath()
    x, low, high = x[known], low[known], high[known]
    return pg.functions.arrayToQPath(np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]]))
