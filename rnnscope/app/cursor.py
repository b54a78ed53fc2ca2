"""Cursor: time step, sequence, unit, moment of the training and visible time span: the one shared position."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from rnnscope.views.subject import Position

LEAST_SPAN = 4  # time steps that stay visible however far one zooms in


class Cursor(QObject):
    """Where everybody looks. Setters clamp, compare, and only then tell.

    moved     the time step changed
    hovered   the time step under the mouse changed
    chosen    the sequence, the unit, the layer, the signal, the output or the iteration changed
    zoomed    the visible span of time changed
    resized   the number of time steps, sequences or units, or the layers changed: each sequence has its own time steps
    recorded  the iterations that one can go back to changed, or how many there are by now
    """

    moved = Signal()
    hovered = Signal()
    chosen = Signal()
    zoomed = Signal()
    resized = Signal()
    recorded = Signal()

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self.position = Position()
        self.under_mouse: int | None = None  # a time step
        self.lengths: tuple[int, ...] = (1,)
        self.units = 1
        self.layers: tuple[str, ...] = ()
        self.span = (0.5, 1.5)
        self.iterations: tuple[int, ...] = ()  # that one can go back to, increasing
        self.newest = 0  # iterations by now

    @property
    def time_steps(self) -> int:
        """T of the sequence that is looked at."""
        return self.lengths[self.position.sequence]

    @property
    def attended(self) -> Position:
        """The position with the time step under the mouse, if there is one."""
        return replace(self.position, time_step=self.under_mouse or self.position.time_step)

    @property
    def sequences(self) -> int:
        """How many there are."""
        return len(self.lengths)

    def resize(self, lengths: tuple[int, ...], units: int, layers: tuple[str, ...] = (), layer: str = "") -> None:
        """Fit the cursor to what is shown: all of a new length is visible, and what comes first is seen from its end.

        lengths  time steps of each sequence
        layer    where it goes if its own layer is not among `layers`
        """
        if (lengths, units, layers) == (self.lengths, self.units, self.layers):
            return
        before = self.time_steps
        self.lengths, self.units, self.layers = lengths, units, layers
        if self.position.sequence >= len(lengths):
            self.position = replace(self.position, sequence=len(lengths) - 1)
        if self.position.layer not in layers:
            self.position = replace(self.position, layer=layer)
        self._refit(before)
        self.choose(self.position.sequence, self.position.unit)

    @property
    def moment(self) -> int:
        """Which of `iterations` is looked at, from 0; their number for now."""
        here = self.position.iteration
        return len(self.iterations) if here is None else max(bisect_right(self.iterations, here) - 1, 0)

    def record(self, iterations: tuple[int, ...], newest: int) -> None:
        """The iterations that one can go back to, and how many there are by now; without any, now is looked at."""
        if (iterations, newest) != (self.iterations, self.newest):
            self.iterations, self.newest = iterations, newest
            self.recorded.emit()
        if not iterations:
            self.choose(iteration=None)

    def look_back(self, moment: int) -> None:
        """Go to one of `iterations`, by number from 0; to now from their number on."""
        there = self.iterations[max(moment, 0) :]
        self.choose(iteration=there[0] if there else None)

    def look_back_to(self, iteration: float) -> None:
        """Go to the nearest place on the iteration axis that one can go to."""
        places = (*self.iterations, self.newest)
        self.look_back(min(range(len(places)), key=lambda n: abs(places[n] - iteration)))

    def move(self, time_step: float) -> None:
        """Go to the time step nearest to a place on the time axis, 1..T; the mouse counts again when it moves."""
        self.hover(None)
        time_step = self._nearest(time_step)
        if time_step == self.position.time_step:
            return
        self.position = replace(self.position, time_step=time_step)
        self._keep_in_sight()
        self.moved.emit()

    def hover(self, time_step: float | None) -> None:
        """The mouse is over a place on the time axis, or has left it: None. The cursor stays where it is."""
        under_mouse = None if time_step is None else self._nearest(time_step)
        if under_mouse != self.under_mouse:
            self.under_mouse = under_mouse
            self.hovered.emit()

    def choose(self, sequence: int | None = None, unit: int | None = None, **others: str | int | None) -> None:
        """Look at another sequence, 0..B-1, or unit, 0..H-1; or at another layer, signal or output, as in Position."""
        here = self.position
        sequence = here.sequence if sequence is None else min(max(sequence, 0), self.sequences - 1)
        unit = here.unit if unit is None else min(max(unit, 0), self.units - 1)
        there = replace(here, sequence=sequence, unit=unit, **others)
        if there != here:
            before = self.time_steps
            self.position = there
            self.hover(None)
            if before != self.time_steps:
                self._refit(before)
            self.chosen.emit()

    def show_all(self) -> None:
        """Make all time steps visible."""
        self._show(0.5, self.time_steps + 0.5)

    def zoom(self, factor: float, around: float) -> None:
        """Shrink (factor < 1) or widen the visible span around a time step that stays where it is."""
        low, high = self.span
        factor = max(factor, LEAST_SPAN / (high - low))
        self._show(around - (around - low) * factor, around + (high - around) * factor)

    def pan(self, by: float) -> None:
        """Shift the visible span by `by` time steps."""
        low, high = self.span
        by = min(max(by, 0.5 - low), self.time_steps + 0.5 - high)
        self._show(low + by, high + by)

    def _refit(self, before: int) -> None:
        """The sequence was `before` time steps long, or something else changed its size."""
        self.resized.emit()
        if before != self.time_steps:
            self.show_all()
        self.move(self.time_steps if before == 1 else self.position.time_step)

    def _nearest(self, time_step: float) -> int:
        return min(max(round(time_step), 1), self.time_steps)

    def _keep_in_sight(self) -> None:
        low, high = self.span
        t = self.position.time_step
        if not low <= t <= high:
            self.pan(t - (low + high) / 2)

    def _show(self, low: float, high: float) -> None:
        span = (max(low, 0.5), min(high, self.time_steps + 0.5))
        if span != self.span and span[0] < span[1]:
            self.span = span
            self.zoomed.emit()
