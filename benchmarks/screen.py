"""What drawing costs: one complete update and paint, against plain pyqtgraph with the same data in the same run, in turn.

    python benchmarks/screen.py [--quick]

Offscreen where there is no display. Medians in ms; the ratio is plain over ours. The window builds pyramids on a thread of
their own: how long that takes is told, and is part of no row. Exit status 1 if a time is beyond its limit, or a zoom or a
shift takes more than one paint.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from copy import copy
from statistics import median
from typing import NamedTuple

import numpy as np

if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication, QWidget

from rnnscope.app import main as application
from rnnscope.app.canvas import Canvas
from rnnscope.app.cursor import Cursor
from rnnscope.app.pyramids import pyramids_of
from rnnscope.app.theme import DARK, LIGHT, palette
from rnnscope.views.plot import Axis, Heatmap, Lines, Panel, Plot, Style
from rnnscope.views.subject import OKABE_ITO

WIDTH, HEIGHT = 1600, 170  # pixels of a plot, as in a window of 1920 x 1080
UNITS, MOST_UNITS, CURVES, PLOTS = 256, 1024, 8, 6
STEPS, POINTS = (1_000, 10_000, 100_000), (1_000, 10_000, 100_000, 1_000_000)
ACTS = 4  # in a row on a turn, as a hand moves: the first finds the caches full of what the other side painted
TURNS, LEAST_TURNS = 12, 2
SECONDS, QUICK = 5.0, 0.6  # of a row, after which it takes no further turn
HEATMAP, MOVED, LINES, CURSOR, COLOURS = (4, 8), (6, 12), (5, 10), (1, 3), (16, 32)  # ms: target, and limit
TABLE = "{:38}{:>8}{:>9}{:>8}{:>8}{:>7}"

Act = Callable[[int], None]


class Side(NamedTuple):
    """Widgets, and what is done to them as act 0, 1, .. before they are painted."""

    widgets: list[QWidget]
    act: Act


class Case(NamedTuple):
    """A row of the table."""

    name: str
    ours: Side
    plain: Side | None = None
    limits: tuple[float, float] | None = None
    paints: int = 0  # that ours may take, if that matters


class Counted(Canvas):
    """A Canvas that counts its paints."""

    paints = 0

    def paintEvent(self, event) -> None:
        self.paints += 1
        super().paintEvent(event)


def main(seconds: float) -> int:
    """Print the table; 1 if anything failed."""
    app = application.make_application()
    pg.setConfigOptions(background=DARK.background, foreground=DARK.text)
    print(f"{app.platformName()}, {os.cpu_count()} cores, plots of {WIDTH} x {HEIGHT} pixels")
    print(TABLE.format("one update and paint", "ms", "plain", "ratio", "target", "limit"))
    good = True
    for cases in (heatmaps, wide_heatmap, curves, cursors):
        stage = QWidget()
        stage.resize(WIDTH, PLOTS * HEIGHT)
        stage.show()
        for case in cases(stage):
            good &= report(case, *in_turn(stage, case, seconds))
        stage.close()
        stage.deleteLater()  # a live plot at exit can crash
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return 0 if good else 1


def heatmaps(stage: QWidget) -> Iterator[Case]:
    """Of UNITS units: new data; then zoom, pan and other colours for the longest."""
    for steps in STEPS:
        name = f"heatmap {UNITS} x {steps:,}"
        plots = [heatmap(UNITS, steps, seed) for seed in range(2)]
        canvas, cursor, ours = with_new_data(stage, name, plots)
        beside, plot = plain(stage)
        values = [mark(plot).values for plot in plots]
        image = pg.ImageItem(values[0], axisOrder="row-major", autoLevels=False, levels=(-1, 1))
        image.setLookupTable(palette("signed", DARK))
        plot.addItem(image)
        renew = image_renewer(image, values)
        yield Case(f"{name}, new data", ours, Side([beside], renew), HEATMAP)
    yield from moved(name, canvas, cursor, beside, plot)
    yield Case(
        f"{name}, other colours", Side([canvas], lambda act: canvas.set_theme((LIGHT, DARK)[act % 2])), None, COLOURS
    )


def wide_heatmap(stage: QWidget) -> Iterator[Case]:
    """Of as many units as there may be; a plain one takes seconds."""
    name = f"heatmap {MOST_UNITS:,} x {STEPS[-1]:,}"
    canvas, cursor, ours = with_new_data(stage, name, [heatmap(MOST_UNITS, STEPS[-1], 0)])
    yield Case(f"{name}, new data", ours)
    yield Case(f"{name}, zoom", Side([canvas], zooming(cursor)))


def curves(stage: QWidget) -> Iterator[Case]:
    """CURVES random walks: new data; then zoom and pan for the longest."""
    for points in POINTS:
        name = f"{CURVES} curves x {points:,}"
        plots = [lines(points, seed) for seed in range(2)]
        canvas, cursor, ours = with_new_data(stage, name, plots)
        beside, plot = plain(stage)
        marks = [mark(plot) for plot in plots]
        drawn = [plot.plot(marks[0].x, y, pen=style.colour) for y, style in zip(marks[0].y, marks[0].styles, strict=True)]
        yield Case(f"{name}, new data", ours, Side([beside], curve_renewer(drawn, marks)), LINES)
    yield from moved(name, canvas, cursor, beside, plot)


def cursors(stage: QWidget) -> Iterator[Case]:
    """One cursor through PLOTS plots: a step of it."""
    plot = heatmap(UNITS, STEPS[0], 0)
    cursor, pyramids = Cursor(stage), pyramids_of(plot)
    cursor.resize((STEPS[0],), UNITS)
    canvases, besides, places = [], [], []
    for n in range(PLOTS):
        canvas = placed(Counted(cursor, DARK, False, stage), n)
        canvas.draw(plot, pyramids)
        cursor.moved.connect(canvas.follow)
        canvases.append(canvas)
        beside, item = plain(stage, n)
        item.addItem(pg.ImageItem(mark(plot).values, axisOrder="row-major", levels=(-1, 1)))
        places.append(item.addLine(x=0))
        besides.append(beside)
    ours = Side(canvases, lambda act: cursor.move(1 + act))
    yield Case(
        f"a cursor over {PLOTS} plots", ours, Side(besides, lambda act: [line.setValue(act) for line in places]), CURSOR
    )


def moved(name: str, canvas: Counted, cursor: Cursor, beside: QWidget, plot: pg.PlotItem) -> Iterator[Case]:
    """Zoom and pan of a canvas and of a plain plot."""
    other = Cursor(beside)
    other.resize(cursor.lengths, 1)
    other.zoomed.connect(lambda: plot.setXRange(*other.span, padding=0))
    for what, moving in (("zoom", zooming), ("pan", panning)):
        yield Case(f"{name}, {what}", Side([canvas], moving(cursor)), Side([beside], moving(other)), MOVED, 1)


def zooming(cursor: Cursor) -> Act:
    """In by a fifth each time, and out again."""
    return lambda act: cursor.zoom(0.8 if act % 16 < 8 else 1.25, 0.3 * cursor.time_steps)


def panning(cursor: Cursor) -> Act:
    """To the right and back, with two fifths of all in sight."""
    cursor.show_all()
    cursor.zoom(0.4, 0.5 * cursor.time_steps)
    return lambda act: cursor.pan((0.01 if act % 16 < 8 else -0.01) * cursor.time_steps)


def with_new_data(stage: QWidget, name: str, plots: list[Plot]) -> tuple[Counted, Cursor, Side]:
    """A canvas that shows each of the plots, one after the other."""
    began = time.perf_counter()
    pyramids = [pyramids_of(plot) for plot in plots]
    print(f"  {name}: pyramid built in {1000 * (time.perf_counter() - began) / len(plots):.0f} ms")
    cursor = Cursor(stage)
    canvas = placed(Counted(cursor, DARK, False, stage))
    canvas.draw(plots[0], pyramids[0])
    cursor.resize((round(next(plots[0].panels).x.high),), 1)
    cursor.zoomed.emit()

    def renew(act: int) -> None:
        which = act % len(plots)
        canvas.draw(plots[which], [copy(pyramid) for pyramid in pyramids[which]])

    return canvas, cursor, Side([canvas], renew)


def image_renewer(image: pg.ImageItem, values: list[np.ndarray]) -> Act:
    """Gives a plain image other values."""
    return lambda act: image.setImage(values[act % 2], autoLevels=False, levels=(-1, 1))


def curve_renewer(drawn: list[pg.PlotDataItem], marks: list[Lines]) -> Act:
    """Gives plain curves other values."""

    def renew(act: int) -> None:
        for item, y in zip(drawn, marks[act % 2].y, strict=True):
            item.setData(marks[act % 2].x, y)

    return renew


def plain(stage: QWidget, place: int = 0) -> tuple[pg.GraphicsLayoutWidget, pg.PlotItem]:
    """A plot as pyqtgraph makes it."""
    widget = placed(pg.GraphicsLayoutWidget(stage), place)
    return widget, widget.addPlot(enableMenu=False)


def placed(widget, place: int = 0):
    """A hidden widget at its place in the stage."""
    widget.setGeometry(0, place * HEIGHT, WIDTH, HEIGHT)
    widget.hide()
    return widget


def mark(plot: Plot) -> Heatmap | Lines:
    """The only mark of a plot."""
    return next(plot.panels).marks[0]


def heatmap(units: int, steps: int, seed: int) -> Plot:
    """Random values between -1 and 1, time first in memory as in a Trace."""
    values = np.random.default_rng(seed).random((steps, units), np.float32) * 2 - 1
    x, y = Axis("time", "time step", 0.5, steps + 0.5), Axis("unit", "unit", -0.5, units - 0.5)
    return Plot("benchmark", ((Panel("hidden state", x, y, (Heatmap(values.T, -1, 1, "signed", "h"),), "h"),),))


def lines(points: int, seed: int) -> Plot:
    """Random walks."""
    walks = np.random.default_rng(seed).standard_normal((CURVES, points)).cumsum(1)
    limit = float(np.abs(walks).max())
    x, y = Axis("time", "time step", 0.5, points + 0.5), Axis("value", "", -limit, limit)
    styles = tuple(Style(OKABE_ITO[k % len(OKABE_ITO)]) for k in range(CURVES))
    names = tuple(f"walk {k}" for k in range(CURVES))
    return Plot("benchmark", ((Panel("walks", x, y, (Lines(np.arange(1, points + 1), walks, names, styles),)),),))


def in_turn(stage: QWidget, case: Case, seconds: float) -> tuple[float, float, int]:
    """Medians of ours and of plain in ms, turn about, without the first turn; and the most paints that ours took."""
    sides = [side for side in (case.ours, case.plain) if side]
    spent: list[list[float]] = [[] for _ in sides]
    views, most = stage.findChildren(pg.GraphicsView), 0
    for turn in range(TURNS):
        for side, times in zip(sides, spent, strict=True):
            for view in views:
                view.setVisible(view in side.widgets)
            QApplication.processEvents()
            for act in range(ACTS * turn, ACTS * (turn + 1)):
                before = paints(case.ours)
                began = time.perf_counter()
                side.act(act)
                QApplication.processEvents()
                times.append(1000 * (time.perf_counter() - began))
                most = max(most, paints(case.ours) - before)
        if turn + 1 >= LEAST_TURNS and sum(map(sum, spent)) > 1000 * seconds:
            break
    found = [median(times[ACTS:]) for times in spent]
    return found[0], found[1] if case.plain else np.nan, most


def paints(side: Side) -> int:
    """How often its widgets have been painted."""
    return sum(widget.paints for widget in side.widgets)


def report(case: Case, ours: float, beside: float, painted: int) -> bool:
    """Print a row; whether it is within its limit."""
    target, limit = case.limits or ("", "")
    ratio = ("", "") if np.isnan(beside) else (f"{beside:.1f}", f"{beside / ours:.1f}")
    too_often = 0 < case.paints < painted
    failed = (case.limits is not None and ours > limit) or too_often
    words = "  FAILED" * failed + f": {painted} paints" * too_often
    print(TABLE.format(case.name, f"{ours:.2f}", *ratio, target, limit) + words, flush=True)
    return not failed


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="fewer turns: half a minute")
    sys.exit(main(QUICK if options.parse_args().quick else SECONDS))
