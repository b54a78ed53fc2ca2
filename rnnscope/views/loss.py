"""The loss of training over iterations, with the baseline of the task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnscope.core.trace import History
from rnnscope.views.plot import Axis, Lines, Panel, Plot, Style
from rnnscope.views.scales import decades, round_up
from rnnscope.views.subject import Position, Subject

MOST_POINTS = 300
ROUND = (1, 1.5, 2, 3, 4, 5, 6, 8)  # ends of an axis that grows


def loss(subjects: Sequence[Subject], position: Position) -> Plot:
    """One curve per run on a log axis. Long trainings are averaged in equal spans, the band is what a span held.

    A vertical line marks the iteration that is looked at, unless that is now.
    """
    trained = [subject for subject in subjects if len(subject.history)]
    marks = tuple(_curve(subject) for subject in trained)
    facts = {(subject.facts.baseline, subject.facts.baseline_words) for subject in subjects}
    baselines = tuple((value, f"baseline: {words}") for value, words in sorted(facts))
    low, high = decades([mark.y for mark in marks] + [np.array([value for value, _ in baselines])], most=6)
    iterations = max((len(subject.history) for subject in trained), default=1)
    x = Axis("iteration", "iteration", 0, round_up(iterations, ROUND))
    y = Axis("value", "", low, high, log=True, levels=baselines)
    marks += moment(position, y) if marks else ()
    empty = "" if marks else "Press Train: the loss appears here."
    return Plot("Training loss", ((Panel("training loss", x, y, marks, "L", empty=empty),),))


def _curve(subject: Subject) -> Lines:
    edges = spans(len(subject.history))
    values = subject.history.loss.astype(np.float64)
    starts = edges[:-1]
    mean = np.add.reduceat(values, starts) / np.diff(edges)
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    style = (subject.style,)
    return Lines(
        (starts + edges[1:] + 1) / 2, mean[None], (subject.training or subject.name,), style, low[None], high[None]
    )


def moment(position: Position, y: Axis) -> tuple[Lines, ...]:
    """A vertical line where one looks back at the training."""
    if position.iteration is None:
        return ()
    here = np.full(2, position.iteration)
    return (Lines(here, np.array([[y.low, y.high]]), (f"iteration {position.iteration:,}",), (Style("text"),)),)


def spans(iterations: int) -> np.ndarray:
    """Edges 0..iterations of spans of equal whole length, at most MOST_POINTS of them."""
    length = -(-iterations // MOST_POINTS)
    return np.append(np.arange(0, iterations, length), iterations)


def last_loss(history: History) -> float:
    """Mean loss of the last tenth of the training, at most 100 iterations; NaN before it began."""
    recent = history.loss[-min(100, -(-len(history) // 10)) :] if len(history) else np.array([np.nan])
    return float(recent.astype(np.float64).mean())
