"""Plot: what is drawn, without saying how; painted on the screen by app.canvas and in print by figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Style:
    """How a curve looks. `colour` is a hex value, or a role the painter's theme knows: "text" or "faint"."""

    colour: str = "text"
    dash: Literal["solid", "dashed", "dotted", "dashdot"] = "solid"
    width: float = 1.0


@dataclass(frozen=True)
class Axis:
    """One axis. A time axis (kind "time") counts time steps from 1 and carries the linked cursor for nothing.

    An axis of kind "none" is not drawn: no line, no numbers, no label; its limits place what stands between them.

    low, high  limits; a painter fits the data where they are None
    levels     named horizontals that are worth a line: (value, name)
    names      of a time axis, what is read at the time steps 1, 2, ..; written in place of their numbers where all in sight
               find room
    """

    kind: Literal["time", "lag", "unit", "iteration", "value", "none"]
    label: str = ""
    low: float | None = None
    high: float | None = None
    log: bool = False
    levels: tuple[tuple[float, str], ...] = ()
    names: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether only whole numbers lie on it."""
        return self.kind in ("time", "lag", "unit", "iteration")


@dataclass(frozen=True, eq=False)
class Lines:
    """Curves over one x: y (K, N) over x (N,), ascending, with an optional band low..high (K, N). NaN is a gap."""

    x: np.ndarray
    y: np.ndarray
    names: tuple[str, ...]
    styles: tuple[Style, ...]
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    def read(self, x: float) -> list[tuple[str, float]]:
        """Name and value of each curve at the sample nearest to x; nothing where x lies outside."""
        if not len(self.x) or not self.x[0] - 0.5 <= x <= self.x[-1] + 0.5:
            return []
        after = int(np.searchsorted(self.x, x).clip(1, max(len(self.x) - 1, 1)))
        column = min((after - 1, after), key=lambda n: abs(self.x[n] - x)) if len(self.x) > 1 else 0
        return [(name, float(value)) for name, value in zip(self.names, self.y[:, column], strict=True)]


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Values (rows, N) of units over x = 1..N; row r is unit r. What is not finite is drawn as a gap.

    gaps     whether NaN is only that, a place of which nothing is said; else it is a value that went wrong, and named
    palette  "signed" (diverging, low = -high), "share" (0..1) or "positive" (from the background up)
    rows     names of the rows (symbols of an alphabet, layers, modules), written beside them where they find room;
             a column with shares of 1 is read as its largest symbol
    """

    values: np.ndarray
    low: float
    high: float
    palette: Literal["signed", "share", "positive"]
    name: str
    rows: tuple[str, ...] = ()
    gaps: bool = True

    def read(self, x: float, unit: int) -> list[tuple[str, float]]:
        """The value of `unit` at time step x, or the symbol there; nothing where x lies outside."""
        column = round(x) - 1
        if not 0 <= column < self.values.shape[1]:
            return []
        values = self.values[:, column]
        unit = min(unit, len(values) - 1)
        if self.rows and (values >= 0).all() and abs(values.sum() - 1) < 1e-3:
            unit = int(values.argmax())
        named = self.rows and np.isfinite(values[unit])
        return [(self.rows[unit] if named else f"{self.name}[{unit}]", float(values[unit]))]


@dataclass(frozen=True, eq=False)
class Points:
    """Dots at x, y (N,), with links beneath them: units in a plane, or the nodes of a tree. A NaN is no dot.

    name     what a dot is: "unit", "node"
    values   (N,) or None; coloured by the palette from low to high as a Heatmap's are, a NaN is a hollow dot
    labels   a short word in each dot, () for none; dots with words are larger
    links    (E, 2) pairs of dots that a thin line joins; those that `strong` (E,) marks are drawn thicker
    chosen   the dot with a ring around it
    chooses  what a click on dot n asks of the cursor: time step n + 1, unit n, or nothing
    """

    x: np.ndarray
    y: np.ndarray
    name: str
    style: Style = Style()
    values: np.ndarray | None = None
    low: float = 0.0
    high: float = 1.0
    palette: Literal["signed", "share", "positive"] = "share"
    labels: tuple[str, ...] = ()
    links: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), int))
    strong: np.ndarray | None = None
    chosen: int | None = None
    chooses: Literal["", "time", "unit"] = ""

    def read(self) -> list[tuple[str, float]]:
        """The chosen dot's label, or its name and number, and its value; nothing without a choice or without values."""
        if self.chosen is None or self.values is None:
            return []
        label = self.labels[self.chosen] if self.labels else ""
        return [(label or f"{self.name} {self.chosen}", float(self.values[self.chosen]))]

    def series(self) -> list[str]:
        """What each dot is called in a table."""
        labels = self.labels or [""] * len(self.x)
        return [f"{self.name} {n} {label}".rstrip() for n, label in enumerate(labels)]


@dataclass(frozen=True, eq=False)
class Picture:
    """A sequence that is a picture: values (rows, columns) in 0..1, with the pixel that was read last marked."""

    values: np.ndarray
    marked: tuple[int, int] | None = None


Mark = Lines | Heatmap | Points


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes. `title` names the quantity, `symbol` its letter; `empty` says what to do when nothing is there.

    height  how high its row is to be beside other rows; the highest panel of a row decides
    """

    title: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...] = ()
    symbol: str = ""
    run: str = ""
    picture: Picture | None = None
    empty: str = ""
    height: float = 1.0

    @property
    def plane(self) -> bool:
        """Whether it shows dots in a plane, which wants to be about as high as wide."""
        return not self.x.counts and any(isinstance(mark, Points) for mark in self.marks)

    @property
    def coloured(self) -> Heatmap | Points | None:
        """The first mark that shows values as colours, for which a colour bar stands at the side."""
        of_values = (mark for mark in self.marks if not isinstance(mark, Lines) and mark.values is not None)
        return next(of_values, None)

    @property
    def row_names(self) -> tuple[str, ...]:
        """Names of the rows of its heatmap, from row 0 on; () where it has none."""
        return next((mark.rows for mark in self.marks if isinstance(mark, Heatmap)), ())

    def read(self, x: float, unit: int) -> list[tuple[str, float]]:
        """What the panel shows at x: (name, value) for each curve, for the chosen unit of a heatmap and the chosen dot."""
        return [value for mark in self.marks for value in _read(mark, x, unit)]


def _read(mark: Mark, x: float, unit: int) -> list[tuple[str, float]]:
    if isinstance(mark, Points):
        return mark.read()
    return mark.read(x, unit) if isinstance(mark, Heatmap) else mark.read(x)


@dataclass(frozen=True, eq=False)
class Plot:
    """A grid of panels: one column per run where runs stand side by side. None leaves a place empty."""

    title: str
    rows: tuple[tuple[Panel | None, ...], ...]
    heads: tuple[tuple[str, Style], ...] = field(default=())

    @property
    def panels(self) -> Iterator[Panel]:
        """All panels, row by row."""
        return (panel for row in self.rows for panel in row if panel is not None)

    @property
    def heights(self) -> list[float]:
        """How high each row is to be beside the others."""
        return [max((panel.height for panel in row if panel is not None), default=1.0) for row in self.rows]

    @property
    def columns(self) -> int:
        """Number of columns of the grid."""
        return max((len(row) for row in self.rows), default=0)

    @property
    def size(self) -> int:
        """How many numbers() there are."""
        return sum(_size(mark) for panel in self.panels for mark in panel.marks)

    def numbers(self) -> Iterator[tuple]:
        """Every number of the plot, tidy: (run, quantity, series, axis, x, value, low, high); low and high may be ''."""
        for panel in self.panels:
            for mark in panel.marks:
                rows = {Lines: _of_lines, Heatmap: _of_heatmap, Points: _of_points}[type(mark)]
                for quantity, *row in rows(mark, panel):
                    yield (panel.run, quantity, *row)


def _size(mark: Mark) -> int:
    if isinstance(mark, Points):
        return len(mark.x) + (0 if mark.values is None else len(mark.values))
    return mark.y.size if isinstance(mark, Lines) else mark.values.size


def _of_lines(mark: Lines, panel: Panel) -> Iterator[tuple]:
    for k, name in enumerate(mark.names):
        for n, x in enumerate(mark.x.tolist()):
            low = "" if mark.low is None else float(mark.low[k, n])
            high = "" if mark.high is None else float(mark.high[k, n])
            yield panel.title, name, panel.x.kind, x, float(mark.y[k, n]), low, high


def _of_heatmap(mark: Heatmap, panel: Panel) -> Iterator[tuple]:
    for unit, row in enumerate(mark.values):
        name = mark.rows[unit] if mark.rows else f"unit {unit}"
        for x, value in enumerate(row.tolist(), 1):
            yield panel.title, name, panel.x.kind, x, value, "", ""


def _of_points(mark: Points, panel: Panel) -> Iterator[tuple]:
    """Where each dot is, and behind that the value that its colour shows, over its number."""
    names = mark.series()
    for name, x, y in zip(names, mark.x.tolist(), mark.y.tolist(), strict=True):
        yield panel.title, name, "value", x, y, "", ""
    for n, value in enumerate([] if mark.values is None else mark.values.tolist()):
        yield f"{panel.title}: colour", names[n], mark.name, n, value, "", ""
