"""The marks of a Plot as pyqtgraph items: one item per mark, updated in place."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from rnnscope.app.heatmap_item import HeatmapItem
from rnnscope.app.lines_item import LinesItem
from rnnscope.app.painting import guarded
from rnnscope.app.panel_parts import font_of, shorten
from rnnscope.app.pyramids import log10
from rnnscope.app.theme import TICK_PIXELS, Theme, palette
from rnnscope.views.dots import fit, wants_light_ink
from rnnscope.views.plot import Heatmap, Lines, Mark, Points

DOT, LEAST_DOT, LABELLED_DOT, RING = (
    3.5,
    2.0,
    9.0,
    3.0,
)  # pixels: radii, and from a dot's edge to the ring around the chosen one
LEAST_LABELLED = 7.0  # pixels of radius that a word needs; in a more crowded mark no dot has one
CLOUD = 0.6  # opacity of dots without values or words, which lie over one another
NEAR = 12.0  # pixels from a dot's edge within which a click is meant for it


def make_item(mark: Mark, box: pg.ViewBox, theme: Theme) -> LinesItem | HeatmapItem | PointsItem:
    """Put an empty item of the right kind into `box`; its `take` shows the mark."""
    return {Lines: LinesItem, Heatmap: HeatmapItem, Points: PointsItem}[type(mark)](mark, box, theme)


class PointsItem:
    """All dots, words and links of one Points mark, drawn by one graphics item."""

    def __init__(self, mark: Points, box: pg.ViewBox, theme: Theme):
        box.setFlag(box.GraphicsItemFlag.ItemClipsChildrenToShape, False)  # a dot on the limit is whole
        self.chooses = mark.chooses
        self.dots = Dots(theme)
        box.addItem(self.dots, ignoreBounds=True)

    def take(self, mark: Points, log: bool, pyramid: None = None) -> None:
        """Show another mark."""
        self.chooses = mark.chooses
        self.dots.show_mark(mark, log10(mark.y) if log else mark.y)

    def nearest(self, scene_point: QPointF) -> tuple[float, int]:
        """Pixels to the edge of the nearest dot, and its number; infinitely far where there is none."""
        dots = self.dots
        places = dots.places(dots.sceneTransform()) - (scene_point.x(), scene_point.y())
        if not len(places):
            return np.inf, 0
        radius, halves = dots.sizes(dots.sceneTransform())
        beyond = np.hypot(np.maximum(np.abs(places[:, 0]) - (halves - radius), 0), places[:, 1]) - radius
        beyond[np.isnan(beyond)] = np.inf
        return float(beyond.min()), int(beyond.argmin())


class Dots(pg.GraphicsObject):
    """Dots of a size in pixels at places in the panel's units: links beneath, words within, a ring around the chosen."""

    def __init__(self, theme: Theme):
        super().__init__()
        self.theme = theme
        self.mark: Points | None = None
        self._metrics = QFontMetricsF(font_of(TICK_PIXELS))

    def show_mark(self, mark: Points, y: np.ndarray) -> None:
        """Take over the mark, its y where the axis has them."""
        self.mark = mark
        self._at = np.stack([np.asarray(mark.x, float), np.asarray(y, float)], -1)  # (N, 2)
        self._words = np.array([self._metrics.horizontalAdvance(label) for label in mark.labels])
        self.fills = self._fills(mark)
        self.update()

    def boundingRect(self) -> QRectF:
        """All of the panel, and what dots on its limits need around it."""
        rect, pixel = self.viewRect(), self.pixelVectors()
        if rect is None or pixel[0] is None:
            return QRectF()
        x, y = (vector.length() * (LABELLED_DOT + RING + 2) for vector in pixel)
        return rect.adjusted(-x, -y, x, y)

    def viewTransformChanged(self) -> None:
        """The panel has another size or other limits."""
        self.prepareGeometryChange()

    def places(self, transform) -> np.ndarray:
        """(N, 2) centres in pixels."""
        return np.array([transform.map(x, y) for x, y in self._at.tolist()]).reshape(-1, 2)

    def sizes(self, transform) -> tuple[float, np.ndarray]:
        """Radius of the dots in pixels, and half the width of each (N,)."""
        if self.mark.labels:
            radius, halves = fit(self.places(transform), self._words, LABELLED_DOT)
            if radius >= LEAST_LABELLED:
                return radius, halves
            radius = min(max(radius, LEAST_DOT), DOT)
            return radius, np.full(len(self._at), radius)
        return DOT, np.full(len(self._at), DOT)

    @guarded
    def paint(self, painter: QPainter, option, widget=None) -> None:
        """Draw links, dots, words and the ring, in pixels."""
        if self.mark is None or not len(self._at):
            return
        transform = painter.worldTransform()
        places, (radius, halves) = self.places(transform), self.sizes(transform)
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_links(painter, places)
        plain = not self.mark.labels and self.mark.values is None  # a cloud: dots seen through each other, without edge
        edge = QPen(Qt.PenStyle.NoPen) if plain else QPen(QColor(self.theme.faint), 1)
        missing = QPen(QColor(self.theme.faint), 1, Qt.PenStyle.DotLine)
        gaps = np.zeros(len(places), bool) if self.mark.values is None else ~np.isfinite(self.mark.values)
        for (x, y), half, fill, gap in zip(places, halves, self.fills, gaps, strict=True):
            if math.isnan(x + y):
                continue
            painter.setBrush(fill)
            painter.setPen(missing if gap else edge)
            painter.drawRoundedRect(QRectF(x - half, y - radius, 2 * half, 2 * radius), radius, radius)
        if radius > DOT:
            self._paint_words(painter, places, halves)
        if self.mark.chosen is not None and np.isfinite(places[self.mark.chosen]).all():
            (x, y), half, radius = places[self.mark.chosen], halves[self.mark.chosen] + RING, radius + RING
            painter.setPen(QPen(QColor(self.theme.text), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(x - half, y - radius, 2 * half, 2 * radius), radius, radius)
        painter.restore()

    def _paint_links(self, painter: QPainter, places: np.ndarray) -> None:
        strong = np.zeros(len(self.mark.links), bool) if self.mark.strong is None else self.mark.strong
        for chosen, colour, width in ((~strong, self.theme.faint, 1), (strong, self.theme.text, 2)):
            painter.setPen(QPen(QColor(colour), width))
            painter.drawLines([QLineF(*places[a], *places[b]) for a, b in self.mark.links[chosen]])

    def _paint_words(self, painter: QPainter, places: np.ndarray, halves: np.ndarray) -> None:
        painter.setFont(font_of(TICK_PIXELS))
        light = wants_light_ink(np.array([fill.getRgbF()[:3] for fill in self.fills]))
        middle = self._metrics.capHeight() / 2
        for (x, y), half, label, on_dark in zip(places, halves, self.mark.labels, light, strict=True):
            label = shorten(label, 2 * half - 4)
            painter.setPen(QColor("#ffffff" if on_dark else "#15181c"))
            painter.drawText(QPointF(x - self._metrics.horizontalAdvance(label) / 2, y + middle), label)

    def _fills(self, mark: Points) -> list[QColor]:
        """Colour of each dot: of its value, of the background where that is missing, or of the mark's style."""
        if mark.values is None:
            colour = QColor(self.theme.colour(mark.style.colour))
            colour.setAlphaF(1.0 if mark.labels else CLOUD)
            return [colour] * len(mark.x)
        scaled = (np.asarray(mark.values, float) - mark.low) * (255 / (mark.high - mark.low))
        colours = palette(mark.palette, self.theme)
        missing = QColor(self.theme.background)
        levels = np.clip(np.nan_to_num(scaled), 0, 255).round().astype(int)
        return [
            QColor(*colours[level].tolist()) if known else missing
            for level, known in zip(levels, np.isfinite(scaled), strict=True)
        ]
