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

    low, high  limits; a painter fits the data where they are None
    levels     named horizontals that are worth a line: (value, name)
    """

    kind: Literal["time", "lag", "unit", "iteration", "value"]
    label: str = ""
    low: float | None = None
    high: float | None = None
    log: bool = False
    levels: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Lines:
    """Curves over one x: y (K, N) over x (N,), with an optional band low..high (K, N). NaN is a gap."""

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
        column = int(np.abs(self.x - x).argmin())
        return [(name, float(value)) for name, value in zip(self.names, self.y[:, column], strict=True)]


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Values (rows, N) of units over x = 1..N; row r is unit r. NaN is a gap.

    palette  "signed" (diverging, low = -high), "share" (0..1) or "positive" (from the background up)
    rows     names of the rows where they are symbols of an alphabet: then the largest of a column is what is read
    """

    values: np.ndarray
    low: float
    high: float
    palette: Literal["signed", "share", "positive"]
    name: str
    rows: tuple[str, ...] = ()

    def read(self, x: float, unit: int) -> list[tuple[str, float]]:
        """The value of `unit` at time step x, or the symbol there; nothing where x lies outside."""
        column = round(x) - 1
        if not 0 <= column < self.values.shape[1]:
            return []
        if self.rows and np.isfinite(self.values[:, column]).all():
            symbol = int(self.values[:, column].argmax())
            return [(self.rows[symbol], float(self.values[symbol, column]))]
        unit = min(unit, len(self.values) - 1)
        return [(f"{self.name}[{unit}]", float(self.values[unit, column]))]


@dataclass(frozen=True, eq=False)
class Picture:
    """A sequence that is a picture: values (rows, columns) in 0..1, with the pixel that was read last marked."""

    values: np.ndarray
    marked: tuple[int, int] | None = None


Mark = Lines | Heatmap


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes. `title` names the quantity, `symbol` its letter; `empty` says what to do when nothing is there."""

    title: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...] = ()
    symbol: str = ""
    run: str = ""
    picture: Picture | None = None
    empty: str = ""

    def read(self, x: float, unit: int) -> list[tuple[str, float]]:
        """What the panel shows at x: (name, value) for each curve, and for the chosen unit of a heatmap."""
        return [
            value for mark in self.marks for value in (mark.read(x, unit) if isinstance(mark, Heatmap) else mark.read(x))
        ]


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
    def columns(self) -> int:
        """Number of columns of the grid."""
        return max((len(row) for row in self.rows), default=0)

    def numbers(self) -> Iterator[tuple]:
        """Every number of the plot, tidy: (run, quantity, series, axis, x, value, low, high); low and high may be ''."""
        for panel in self.panels:
            for mark in panel.marks:
                head = (panel.run, panel.title)
                if isinstance(mark, Heatmap):
                    for unit, row in enumerate(mark.values.tolist()):
                        name = mark.rows[unit] if mark.rows else f"unit {unit}"
                        for x, value in enumerate(row, 1):
                            yield (*head, name, panel.x.kind, x, value, "", "")
                    continue
                for k, name in enumerate(mark.names):
                    for n, x in enumerate(mark.x.tolist()):
                        low = "" if mark.low is None else float(mark.low[k, n])
                        high = "" if mark.high is None else float(mark.high[k, n])
                        yield (*head, name, panel.x.kind, x, float(mark.y[k, n]), low, high)
