"""The gates of every unit over time, one row for each."""

from __future__ import annotations

from collections.abc import Sequence

from rnnscope.views.hidden import signal_rows
from rnnscope.views.plot import Plot
from rnnscope.views.subject import Position, Subject


def gates(subjects: Sequence[Subject], position: Position) -> Plot:
    """Every signal that the cell declares as a gate: LSTM i f o g, GRU r z n, RWA logit, newest weight, gate and value."""
    return signal_rows("Gates", subjects, position, lambda legend: [name for name, s in legend.items() if s.gate])
