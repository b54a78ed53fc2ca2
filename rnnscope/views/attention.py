"""What each past moment weighs at the cursor's time step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rnnscope.core.attention import weights_of_past
from rnnscope.views.plot import Axis, Lines, Panel, Plot, Style
from rnnscope.views.scales import largest, round_up, time_axis, time_steps
from rnnscope.views.subject import Position, Subject, head

NO_GATES = "This cell has no gates."


def attention(subjects: Sequence[Subject], position: Position) -> Plot:
    """Weight of every moment up to the cursor, averaged over units and for the chosen unit: RWA's attention exactly, the
    products of gates for LSTM and GRU; of a network with attention over its sequence, what the answer at the cursor reads.
    """
    shown = [subject for subject in subjects if subject.trace is not None]
    x = time_axis((subject.trace for subject in shown), position.sequence)
    weights = [_weights(subject, position) for subject in shown]
    limit = round_up(largest(pair for pair in weights if pair is not None))
    row = tuple(_panel(*both, position, x, limit) for both in zip(shown, weights, strict=True))
    return Plot("Weight of the past", (row,), tuple(map(head, shown)))


def _weights(subject: Subject, position: Position) -> np.ndarray | None:
    """Averaged over units, and of one unit: (2, T); of attention over the sequence the one curve there is, (1, T)."""
    trace, b = subject.trace, position.sequence
    t = min(position.time_step, int(trace.lengths[b])) - 1
    if trace.attended is not None:
        query = t - int(trace.attended.first[b])
        return trace.attended.weights[[query], :, b] if query >= 0 else np.full((1, trace.time_steps), np.nan)
    weights = weights_of_past(trace, t, b, mean_and_one(min(position.unit, trace.units - 1)))
    return None if weights is None else weights.T


def _panel(subject: Subject, weights: np.ndarray | None, position: Position, x: Axis, limit: float) -> Panel:
    t = min(position.time_step, int(subject.trace.lengths[position.sequence]))
    title = f"weight of the {'sequence' if subject.trace.attended else 'past'} at t = {t:,}"
    y = Axis("value", "", 0, limit)
    if weights is None:
        return Panel(title, x, y, (), "", subject.name, empty=NO_GATES)
    unit = min(position.unit, subject.trace.units - 1)
    names = ("mean over units", f"unit {unit}") if len(weights) > 1 else ("attention",)
    mark = Lines(time_steps(subject.trace), weights, names, (subject.style, Style("faint"))[: len(names)])
    return Panel(title, x, y, (mark,), "", subject.name)


def mean_and_one(unit: int) -> Callable[[np.ndarray], np.ndarray]:
    """Of (n, H) the mean over units, and one unit: (n, 2)."""
    return lambda values: np.stack([values.mean(1), values[:, unit]], 1)
