"""Attention as a map: what every past moment weighs at every time step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnscope.core.attention import spread_of_past
from rnnscope.core.trace import Trace
from rnnscope.views.input import symbols_of
from rnnscope.views.plot import Axis, Heatmap, Lines, Panel, Plot, Style
from rnnscope.views.scales import largest, round_up, time_axis, time_steps
from rnnscope.views.subject import Position, Subject, head

MOST_ROWS = 100  # further moments are added up, so that every column keeps its sum
MOST_COLUMNS = 500  # time steps that are computed; between them the last one is repeated
CLIPPED = 97  # per cent of the weights that the colours tell apart: the first moments begin at 1, later ones near 1 / t
LEAST = 1e-6  # weight up to which the colours go at least
NOTHING = "This cell has neither gates nor attention."
SPREAD = (("mean lag of the weights", "k̄"), ("entropy of the weights in nats", "S"))


def attention_map(subjects: Sequence[Subject], position: Position) -> Plot:
    """A column per run. A decoder's attention: rows are the symbols of the source, columns the time steps of the answer.
    Attention over the whole sequence: one curve. RWA and gated cells: the triangle of what moment i weighs at time step t,
    averaged over units and of the chosen unit; and mean lag and entropy of these weights.
    """
    shown = [subject for subject in subjects if subject.trace is not None]
    x = time_axis((subject.trace for subject in shown), position.sequence)
    columns = [_column(subject, position, x) for subject in shown]
    spreads = [_spread(subject, position) for subject in shown]
    for n, (title, symbol) in enumerate(SPREAD):
        y = Axis("value", "", 0, round_up(largest(mark.y for marks in spreads for mark in marks[n : n + 1])))
        for subject, column, marks in zip(shown, columns, spreads, strict=True):
            column += [Panel(title, x, y, (mark,), symbol, subject.name) for mark in marks[n : n + 1]]
    height = max(map(len, columns), default=0)
    rows = tuple(tuple(column[r] if r < len(column) else None for column in columns) for r in range(height))
    return Plot("Attention map", rows, tuple(map(head, shown)))


def _column(subject: Subject, position: Position, x: Axis) -> list[Panel]:
    trace = subject.trace
    if trace.attended is not None:
        return [_attended(subject, position, x)]
    if not has_triangle(trace):
        return [Panel("weight of the past", x, Axis("value", "", 0, 1), (), "", subject.name, empty=NOTHING)]
    unit = min(position.unit, trace.units - 1)
    weights, moments = triangle(trace, position.sequence, unit)
    known = weights[np.isfinite(weights)]
    high = min(1.0, max(LEAST, round_up(float(np.percentile(known, CLIPPED)))) if known.size else 1.0)
    y = Axis("unit", "moment", -0.5, len(moments) - 0.5)
    return [
        Panel(
            f"weight of each moment, {of}",
            x,
            y,
            (Heatmap(values, 0, high, "positive", "α", moments),),
            "α",
            subject.name,
            height=2,
        )
        for of, values in zip(("mean over units", f"unit {unit}"), weights, strict=True)
    ]


def has_triangle(trace: Trace) -> bool:
    """Whether the layer reads moment after moment and its gates say what each weighs."""
    return trace.layers[trace.layer].along != "tree" and {"log_retention", "log_write"} <= set(trace.signals)


def _attended(subject: Subject, position: Position, x: Axis) -> Panel:
    trace, b = subject.trace, position.sequence
    weights, first = trace.attended.weights[:, :, b], int(trace.attended.first[b])
    if len(weights) == 1:
        curve = weights[:, : trace.lengths[b]]
        mark = Lines(time_steps(trace)[: curve.shape[1]], curve, ("weight",), (subject.style,))
        y = Axis("value", "", 0, round_up(largest([curve])))
        return Panel("weight in the one context vector", x, y, (mark,), "α", subject.name)
    source = int(trace.sources[b])
    values = np.full((source, trace.time_steps), np.nan)
    answer = slice(first, int(trace.lengths[b]))
    values[:, answer] = weights[: answer.stop - first, :source].T
    names = symbols_of(subject, b)[:source]
    y = Axis("unit", "source", -0.5, source - 0.5)
    mark = Heatmap(values, 0, 1, "positive", "α", names or tuple(f"t = {t}" for t in range(1, source + 1)))
    return Panel("weight of the source", x, y, (mark,), "α", subject.name)


def triangle(trace: Trace, sequence: int, unit: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """What each moment, or span of moments, weighs at each time step, NaN where it has not been read; and its name.

    Returns (2, R, T), averaged over units and of one unit, and the R names.

    W_jt = exp(ln write_j + L_t - L_j) with L the running sum of ln retention. In a long sequence a row is a span of
    moments, summed up when it ends and from there on kept as a whole, and a column stands for the time steps behind it.
    """
    length = int(trace.lengths[sequence])
    order = slice(None, None, -1 if trace.layers[trace.layer].along == "backward" else 1)  # in which it is read
    kept, written = (
        trace.signals[name][:length, sequence][order].astype(np.float64) for name in ("log_retention", "log_write")
    )
    kept = np.where(np.isfinite(kept), kept, -1e4)  # ln 0 at the first moment: before it there is nothing to keep
    log_kept = np.cumsum(kept, axis=0)  # (T, H)
    wide = -(-length // MOST_ROWS)
    ends = np.minimum(np.arange(wide - 1, length + wide - 1, wide), length - 1)
    spacing = -(-length // MOST_COLUMNS)
    columns = np.arange(0, length, spacing)
    held, found = np.zeros((len(ends), trace.units)), np.full((2, len(ends), len(columns)), np.nan, np.float32)
    before = 0
    for t in np.union1d(columns, ends):
        row, new = t // wide, slice(before, t + 1)
        held[: row + 1] *= np.exp(log_kept[t] - log_kept[max(before - 1, 0)])  # what is kept of what was read before
        held[row] += np.exp((written[new] + (log_kept[t] - log_kept[new])).astype(np.float32)).sum(0)
        before = t + 1
        if t % spacing == 0:
            found[:, : row + 1, t // spacing] = held[: row + 1].mean(1), held[: row + 1, unit]
    weights = np.full((2, len(ends), trace.time_steps), np.nan, np.float32)
    weights[:, :, :length] = np.repeat(found, np.diff(np.append(columns, length)), axis=2)
    weights[:, :, :length] = weights[:, order, :length][:, :, order]
    t = np.arange(1, length + 1)[order]
    spans = [sorted((t[row * wide], t[end])) for row, end in enumerate(ends)][order]
    return weights, tuple(f"t = {first}" if wide == 1 else f"{first}–{last}" for first, last in spans)


def _spread(subject: Subject, position: Position) -> list[Lines]:
    """Curves of each line of SPREAD, averaged over units and of the chosen unit; none without a triangle."""
    trace = subject.trace
    if trace.attended is not None or not has_triangle(trace):
        return []
    unit = min(position.unit, trace.units - 1)
    names, styles = ("mean over units", f"unit {unit}"), (subject.style, Style("faint"))
    curves = (np.stack([values.mean(1), values[:, unit]]) for values in spread_of_past(trace, position.sequence))
    return [Lines(time_steps(trace), y, names, styles) for y in curves]
