"""What mattered to the output under the mouse or at the cursor: the gradient with respect to every input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnscope.views.input import over_symbols, picture_of
from rnnscope.views.plot import Axis, Lines, Panel, Plot
from rnnscope.views.scales import decades, time_axis, time_steps
from rnnscope.views.subject import Position, Subject

WAITING = "Taken as soon as nothing else is under way."


def influence(subjects: Sequence[Subject], position: Position) -> Plot:
    """|dy_T/dx_t| over time on a log axis, in units of the output over units of the input.

    T is what was attended to when it was taken: the time step under the mouse, or the cursor's. Where the input is symbols
    they stand below the curve; where it is a picture, the picture beside it shows each pixel's share of the largest.
    """
    shown = [subject for subject in subjects if subject.trace is not None]
    taken = [subject.influence for subject in shown if _fits(subject, position)]
    low, high = decades([_curve(one.values) for one in taken])
    x, y = time_axis((subject.trace for subject in shown), position.sequence), Axis("value", "|dy/dx|", low, high, log=True)
    heads = tuple((subject.name, subject.style) for subject in shown)
    return Plot("Influence of each input", (tuple(_panel(one, position, x, y) for one in shown),), heads)


def _panel(subject: Subject, position: Position, x: Axis, y: Axis) -> Panel:
    x = over_symbols(x, subject, position.sequence)
    if not _fits(subject, position):
        return Panel("influence of each input", x, y, (), "", subject.name, empty=WAITING)
    taken = subject.influence
    which = "the output" if taken.output is None else f"output {taken.output}"
    x_of = time_steps(subject.trace)
    mark = Lines(x_of, _curve(taken.values[: len(x_of)])[None], ("|dy/dx|",), (subject.style,))
    shares = taken.values / max(taken.values.max(), np.finfo(np.float32).tiny)
    picture = picture_of(subject, shares, taken.time_step)
    return Panel(f"influence on {which}, t = {taken.time_step:,}", x, y, (mark,), "", subject.name, picture)


def _fits(subject: Subject, position: Position) -> bool:
    """Whether what was taken last is of this sequence and output; of another time step it stays for a moment."""
    taken = subject.influence
    return taken is not None and (taken.sequence, taken.output) == (position.sequence, position.output)


def _curve(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.nan)
