"""Gate saturation: how often each gate is shut and how often open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnscope.views.plot import Axis, Lines, Panel, Plot, Points, Style
from rnnscope.views.subject import Position, Subject, head

SHUT, OPEN = 0.1, 0.9
NO_GATES = "This cell has no gates between 0 and 1."


def saturation(subjects: Sequence[Subject], position: Position) -> Plot:
    """A row per run, in it a panel for each gate between 0 and 1, in it a dot for each unit: the share of all time steps of
    all sequences at which the gate is below 0.1 (left-saturated) and above 0.9 (right-saturated). On the dotted line a gate
    is always one or the other. Karpathy, Johnson and Fei-Fei, Visualizing and understanding recurrent networks, 2015.
    """
    shown = [subject for subject in subjects if subject.trace is not None]
    several = len(shown) > 1
    rows = tuple(_row(subject, position, several) for subject in shown)
    return Plot("Gate saturation", rows, () if several else tuple(map(head, shown)))


def _row(subject: Subject, position: Position, several: bool) -> tuple[Panel, ...]:
    trace = subject.trace
    gates = [name for name, signal in trace.legend.items() if signal.gate and (signal.low, signal.high) == (0, 1)]
    x, y = Axis("value", "shut (below 0.1)", 0, 1), Axis("value", "open (above 0.9)", 0, 1)
    if not gates:
        return (Panel("saturation", x, y, (), "", subject.name, empty=NO_GATES),)
    of = f", {subject.name}" * several + f", {trace.layer}" * (len(trace.layers) > 1)  # what the row shows, said once
    return tuple(_panel(subject, name, of * (n == 0), position, x, y) for n, name in enumerate(gates))


def _panel(subject: Subject, name: str, of: str, position: Position, x: Axis, y: Axis) -> Panel:
    trace = subject.trace
    values = trace.signals[name]  # (T, B, H)
    steps = np.maximum(np.count_nonzero(np.isfinite(values), (0, 1)), 1)
    shut, opened = (np.count_nonzero(chosen, (0, 1)) / steps for chosen in (values < SHUT, values > OPEN))  # NaN is neither
    chosen = min(position.unit, trace.units - 1)
    always = Lines(np.array([0.0, 1.0]), np.array([[1.0, 0.0]]), ("always one or the other",), (Style("faint", "dotted"),))
    dots = Points(shut, opened, "unit", subject.style, chosen=chosen, chooses="unit")
    signal = trace.legend[name]
    return Panel(signal.words + of, x, y, (always, dots), signal.symbol, subject.name)
