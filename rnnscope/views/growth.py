"""How the reach grows during training: the lags at which the gradient falls to 50 % and to 1 %, over iterations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from rnnscope.core.reach import Estimate, Reach
from rnnscope.views.loss import ROUND, moment
from rnnscope.views.plot import Axis, Lines, Panel, Plot
from rnnscope.views.reach import words_of
from rnnscope.views.scales import largest, round_up
from rnnscope.views.subject import DASHES, Position, Subject

MEASURE = "state_jacobian"
PER_OCTAVE = 2.0  # snapshots that are measured while the iterations double: each takes as long as a comparison
ROOM = 1.15  # above the highest curve, for the words on the line there
NOTHING = "Measured at the snapshots of a training, once it has ended."


def growth(subjects: Sequence[Subject], position: Position) -> Plot:
    """One curve per run, and per direction of its network, in time steps back; the band is the 95 % interval.

    What lies beyond the last lag that was measured is drawn at that lag, where a dotted line says so. A vertical line marks
    the iteration that is looked at.
    """
    row = (_panel(subjects, position, "50 %", "lag50"), _panel(subjects, position, "1 %", "lag1"))
    return Plot("Reach during training", (row,))


def _panel(subjects: Sequence[Subject], position: Position, share: str, of: str) -> Panel:
    """The lags of all runs at which the gradient falls to one share."""
    marks = tuple(mark for subject in subjects for mark in _curves(subject, of))
    last = {int(reach.lags[-1]) for subject in subjects for one in subject.growth.values() for reach in one.values()}
    high = round_up(ROOM * largest([mark.high for mark in marks]), ROUND)
    y = Axis("value", "time steps back", 0, high, levels=tuple((lag, f"all {lag} lags") for lag in sorted(last)))
    latest = max((mark.x[-1] for mark in marks), default=1)
    x = Axis("iteration", "iteration", 0, round_up(float(latest), ROUND))
    marks += moment(position, y) if marks else ()
    return Panel(f"lag at {share} of the gradient", x, y, marks, empty="" if marks else NOTHING)


def _curves(subject: Subject, of: str) -> Iterator[Lines]:
    """For each direction of the network."""
    names = dict.fromkeys(name for measured in subject.growth.values() for name in measured)
    for turn, name in enumerate(name for name in names if name.partition(", ")[0] == MEASURE):
        found = {n: measured[name] for n, measured in sorted(subject.growth.items()) if name in measured}
        value, low, high = np.array([_numbers(reach, getattr(reach, of)) for reach in found.values()]).T[:, None]
        style = replace(subject.style, dash=DASHES[(DASHES.index(subject.style.dash) + 2 * turn) % len(DASHES)])
        called = ", ".join(filter(None, (subject.training or subject.name, words_of(name).partition(", ")[2])))
        yield Lines(np.array([*found]), value, (called,), (style,), low, high)


def _numbers(reach: Reach, lag: Estimate) -> list[float]:
    """A lag with its interval; the last lag for what lies beyond, and no interval where there is none."""
    value, low, high = (float(reach.lags[-1]) if end is None else end for end in (lag.value, lag.low, lag.high))
    return [value, low, high] if np.isfinite(reach.low).any() else [value, value, value]
