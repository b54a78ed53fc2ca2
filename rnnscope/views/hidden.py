"""The hidden state of every unit over time."""

from __future__ import annotations

from collections.abc import Sequence

from rnnscope.views.plot import Axis, Heatmap, Panel, Plot
from rnnscope.views.scales import largest, round_up, time_axis
from rnnscope.views.subject import Position, Subject, head


def hidden(subjects: Sequence[Subject], position: Position) -> Plot:
    """Heatmap of units over time, symmetric limits shared by all runs: 1 where the state is squashed."""
    return signal_rows("Hidden state", subjects, position, lambda legend: ["hidden"])


def signal_rows(title: str, subjects: Sequence[Subject], position: Position, choose) -> Plot:
    """A column per run, in it a heatmap for each signal that `choose(legend)` names; one signal, one scale for all runs."""
    shown = [subject for subject in subjects if subject.trace is not None]
    x = time_axis((subject.trace for subject in shown), position.sequence)
    columns = [
        [signal_panel(subject, name, position, x, shown) for name in choose(subject.trace.legend)] for subject in shown
    ]
    height = max(map(len, columns), default=0)
    rows = tuple(tuple(column[r] if r < len(column) else None for column in columns) for r in range(height))
    return Plot(title, rows, tuple(map(head, shown)))


def signal_panel(subject: Subject, name: str, position: Position, x: Axis, shown: list[Subject]) -> Panel:
    """The heatmap of one signal of a run, on the scale of all runs that have it."""
    trace = subject.trace
    signal = trace.legend[name]
    length = trace.lengths[position.sequence]
    values = trace.signals[name][:length, position.sequence].T  # (H, length)
    if (signal.low, signal.high) == (0, 1):
        low, high, palette = 0.0, 1.0, "share"
    else:
        alike = (other.trace for other in shown if name in other.trace.signals)
        high = signal.high or round_up(largest(other.signals[name][:, position.sequence] for other in alike))
        low, palette = (0.0, "positive") if signal.low == 0 else (-high, "signed")
    y = Axis("unit", "unit", -0.5, len(values) - 0.5)
    words = signal.words + (f", {trace.layer}" if len(trace.layers) > 1 else "")
    rests = trace.sources is not None or trace.layers[trace.layer].along == "tree"  # a layer may not work all the time
    mark = Heatmap(values, low, high, palette, signal.symbol, gaps=rests)
    return Panel(words, x, y, (mark,), signal.symbol, subject.name)
