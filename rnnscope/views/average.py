"""The running average of the RWA and its kin: its sums, and what is left of each moment."""

from __future__ import annotations

from collections.abc import Sequence

from rnnscope.core.attention import left_of_past
from rnnscope.views.attention import mean_and_one
from rnnscope.views.hidden import signal_panel
from rnnscope.views.plot import Axis, Lines, Panel, Plot, Style
from rnnscope.views.scales import time_axis, time_steps
from rnnscope.views.subject import Position, Subject, head

NO_AVERAGE = "This cell keeps no running average."
SUMS = ("numerator", "denominator", "running_maximum")


def average(subjects: Sequence[Subject], position: Position) -> Plot:
    """A column per run: numerator, denominator and running maximum of every unit over time; and how much of the average as
    it was at each moment is left at the cursor, D_t / D_T, averaged over units and of the chosen unit.
    """
    shown = [subject for subject in subjects if subject.trace is not None]
    x = time_axis((subject.trace for subject in shown), position.sequence)
    columns = [_column(subject, position, x, shown) for subject in shown]
    height = max(map(len, columns), default=0)
    rows = tuple(tuple(column[r] if r < len(column) else None for column in columns) for r in range(height))
    return Plot("Running average", rows, tuple(map(head, shown)))


def _column(subject: Subject, position: Position, x: Axis, shown: list[Subject]) -> list[Panel]:
    if not {*SUMS, "log_retention"} <= set(subject.trace.signals):
        return [Panel("running average", x, Axis("value", "", 0, 1), (), "", subject.name, empty=NO_AVERAGE)]
    return [*(signal_panel(subject, name, position, x, shown) for name in SUMS), _retention(subject, position, x)]


def _retention(subject: Subject, position: Position, x: Axis) -> Panel:
    trace = subject.trace
    now = min(position.time_step, int(trace.lengths[position.sequence]))
    unit = min(position.unit, trace.units - 1)
    left = left_of_past(trace, now - 1, position.sequence, mean_and_one(unit))
    mark = Lines(time_steps(trace), left.T, ("mean over units", f"unit {unit}"), (subject.style, Style("faint")))
    return Panel(f"left of each moment at t = {now:,}", x, Axis("value", "", 0, 1), (mark,), "D_t / D_T", subject.name)
