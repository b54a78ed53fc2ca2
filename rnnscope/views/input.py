"""The input: a picture with the pixel that was just read, or curves; and the answer due at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rnnscope.views.plot import Axis, Heatmap, Lines, Panel, Picture, Plot, Style
from rnnscope.views.scales import largest, round_up, time_axis, time_steps
from rnnscope.views.subject import OKABE_ITO, Position, Subject

MOST_CURVES = 4
MOST_SYMBOLS = 12  # of a larger alphabet only those that occur are shown
SIGNS = {"space": "␣", "newline": "↵", "tab": "⇥", "start": "▸"}  # for words that would need more than a column
COLOURS = ("text", OKABE_ITO[1], OKABE_ITO[4], OKABE_ITO[2])


def input(subjects: Sequence[Subject], position: Position) -> Plot:
    """Up to four input channels as curves, more as a heatmap with named rows; a digit also as its picture."""
    shown = [subject for subject in subjects if subject.trace is not None]
    x = time_axis((subject.trace for subject in shown), position.sequence)
    inputs = [subject.trace.inputs[:, position.sequence] for subject in shown]
    limit = round_up(largest(inputs))
    low = -limit if any(np.nanmin(values, initial=0) < 0 for values in inputs) else 0.0
    row = tuple(_panel(subject, position, x, low, limit) for subject in shown)
    return Plot("Input", (row,), tuple((subject.name, subject.style) for subject in shown))  # of no layer


def _panel(subject: Subject, position: Position, x: Axis, low: float, limit: float) -> Panel:
    values = subject.trace.inputs[:, position.sequence].T  # (I, T)
    names, x = subject.facts.channels, over_symbols(x, subject, position.sequence)
    picture = picture_of(subject, values[0], position.time_step)
    if len(values) > MOST_CURVES:
        if len(values) > MOST_SYMBOLS and x.names:
            occur = np.flatnonzero(np.nansum(values, 1))
            values, names = values[occur], tuple(names[channel] for channel in occur)
        marks = (Heatmap(values, low, limit, "positive" if low == 0 else "signed", "x", names),)
        y = Axis("unit", "channel", -0.5, len(values) - 0.5)
    else:
        marks = (Lines(time_steps(subject.trace), values, names, tuple(Style(c) for c in COLOURS[: len(values)])),)
        y = Axis("value", "", low, limit)
    return Panel(" and ".join(names) if len(names) < 3 else "input", x, y, marks, "x", subject.name, picture)


def symbols_of(subject: Subject, sequence: int) -> tuple[str, ...]:
    """The symbol that each time step shows, where the input is one of many at a time; else nothing."""
    shown = subject.trace.inputs[: subject.trace.lengths[sequence], sequence]  # (length, I)
    if shown.shape[1] <= MOST_CURVES or not (((shown == 0) | (shown == 1)).all() and (shown.sum(1) == 1).all()):
        return ()
    return tuple(subject.facts.channels[channel] for channel in shown.argmax(1))


def over_symbols(x: Axis, subject: Subject, sequence: int) -> Axis:
    """A time axis that says which symbol each time step shows, where the input is symbols."""
    return replace(x, names=tuple(SIGNS.get(name, name) for name in symbols_of(subject, sequence)))


def picture_of(subject: Subject, values: np.ndarray, time_step: int) -> Picture | None:
    """Values (T,) in 0..1 of all time steps of a run whose input is a picture, with the pixel of one marked; else None."""
    shape = subject.facts.picture
    return Picture(values.reshape(shape), divmod(min(time_step, len(values)) - 1, shape[1])) if shape else None
