"""How far back: the curves of all runs in one plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from rnnscope.core.reach import DELAYS, FLOOR, QUICK, SEEDS, Estimate, Reach
from rnnscope.views.plot import Axis, Lines, Panel, Plot
from rnnscope.views.scales import decades
from rnnscope.views.subject import DASHES, Position, Subject

MEASURES = {  # a word for each, what it says, and its unit or symbol
    "state_jacobian": ("gradient", "Norm of the derivative of the last state with respect to an earlier one", ""),
    "direct_weight": ("gates alone", "Share of an old memory that the gates let through", ""),
    "connectivity": ("influence", "Norm of the derivative of the last output with respect to an earlier input", "|dy/dx|"),
    "decoding": ("decoding", "How well an earlier input can be read from the last state, on sequences held out", "R²"),
    "causal": ("replacing", "How much the last output changes when an earlier input is another one", "|Δy|"),
    "context_loss": ("context", "How much higher the last loss is when all inputs before this lag are withheld", "Δ loss"),
    "solved_length": ("solved", "Share of freshly trained models that still solve the task at this delay", ""),
}
LINEAR = frozenset({"decoding", "solved_length"})  # what lies between 0 and 1 and is no share of lag 0
HOURS = (
    f"Up to {len(DELAYS) * SEEDS} fresh models of each run are trained, at ever longer delays, for minutes to hours: "
    "Run > Stop ends it."
)
COLUMNS = 2  # panels side by side
FITS, SURE = 0.9, 0.9  # R^2, and share of resamples, from which on a law is named
LEVELS = ((0.5, "50 %"), (0.01, "1 %"))
CHANCE = "decoding"  # the measure whose floor is what chance gives; that of others is rounding
AGREE = 1.05  # floors whose ratio is no larger are drawn as one


def reach(subjects: Sequence[Subject], position: Position) -> Plot:
    """Share of lag 0 that is left k time steps later, by gradient of the last state and by direct weight; others beside it.

    The gradient is in the run's own style, the direct weight in the next dash and thinner: solid and dashed for the first
    run of a cell, and its other runs stay apart from it. The backward direction of a network that has two comes two dashes
    further. In a tree the lag counts nodes on the way up to the root. Every other measure has a panel of its own.

    The band is the 95 % interval over sequences. A log axis ends five decades below 1, and a curve where its measure's
    floor is: below that nothing is claimed. A floor that lies in sight is drawn, the largest where runs differ.
    """
    kinds = dict.fromkeys(measure.partition(", ")[0] for subject in subjects for measure in subject.reaches)
    shares = [kind for kind in kinds if kind in QUICK]
    panels = [_panel(subjects, group) for group in ([shares] if shares or not kinds else [])]
    panels += [_panel(subjects, [kind]) for kind in kinds if kind not in QUICK]
    rows = tuple(tuple(panels[n : n + COLUMNS]) for n in range(0, len(panels), COLUMNS))
    return Plot("How far back", rows)


def _panel(subjects: Sequence[Subject], kinds: list[str]) -> Panel:
    """The curves of all runs by some measures."""
    drawn = [
        (subject, measure, curve)
        for subject in subjects
        for measure, curve in subject.reaches.items()
        if measure.partition(", ")[0] in kinds
    ]
    marks = tuple(_curve(subject, measure, curve, kinds) for subject, measure, curve in drawn)
    curves = [curve for *_, curve in drawn]
    x = Axis("lag", lag_unit(curves), 0, max((mark.x[-1] for mark in marks), default=1))
    empty = "" if marks else "Measured when training ends, or by Ctrl+M." if subjects else "Open a model or press Train."
    if {*kinds} <= {*QUICK}:
        dashed = (f"{words_of(kind)}{' dashed' * n}" for n, kind in enumerate(kinds or QUICK))
        title, symbol, levels = "share left of the past", ", ".join(dashed), LEVELS
    else:
        title, symbol, levels = words_of(kinds[0]), MEASURES.get(kinds[0], ("", "", ""))[2], ()
    if {*kinds} <= LINEAR:
        low, high = 0.0, 1.0
    else:
        low, high = 1e-5, max(decades([mark.y for mark in marks])[1], 1.0)
    levels += tuple(level for level in _floor(kinds, curves) if max(low, FLOOR) < level[0] < high)
    y = Axis("value", "", low, high, log=not {*kinds} <= LINEAR, levels=levels)
    return Panel(title, x, y, marks, symbol, empty=empty)


def _floor(kinds: list[str], curves: Sequence[Reach]) -> tuple[tuple[float, str], ...]:
    """The level below which nothing is claimed, and what it is called."""
    floors = [curve.floor for curve in curves]
    if not floors:
        return ()
    name = "chance" if kinds == [CHANCE] else "noise floor"
    return ((max(floors), name if max(floors) <= AGREE * min(floors) else f"{name}, largest"),)


def lag_unit(curves: Sequence[Reach]) -> str:
    """What lags are counted in: "nodes up" where all curves are of trees, else "time steps back"."""
    return "nodes up" if curves and all(curve.along == "tree" for curve in curves) else "time steps back"


def _curve(subject: Subject, measure: str, curve: Reach, kinds: list[str]) -> Lines:
    kind, _, direction = measure.partition(", ")
    turn = kinds.index(kind) + 2 * (direction == "backward")
    dash = DASHES[(DASHES.index(subject.style.dash) + turn) % len(DASHES)]
    style = replace(subject.style, dash=dash, width=subject.style.width * 0.7**turn)
    claimed = curve.mean > max(curve.floor, 0)
    mean, low, high = (np.where(claimed, values, np.nan)[None] for values in (curve.mean, curve.low, curve.high))
    return Lines(curve.lags, mean, (f"{subject.name}, {words_of(measure)}",), (style,), np.maximum(low, FLOOR), high)


def words_of(measure: str) -> str:
    """A key of a run's reaches in words: "gradient", or "gradient, backward" where there are two directions."""
    kind, _, direction = measure.partition(", ")
    return ", ".join(filter(None, (MEASURES.get(kind, (kind.replace("_", " "),))[0], direction)))


def lag_words(reach: Reach, lag: Estimate) -> str:
    """A lag with its interval, "84 [79, 90]"; what lies beyond the last lag that was measured as "> 99"."""
    value = _number(reach, lag.value)
    if not reach.mean[0] > reach.floor:
        return "–"
    if not np.isfinite(reach.low).any() or (lag.low is None and lag.high is None):
        return value
    return f"{value} [{_number(reach, lag.low)}, {_number(reach, lag.high)}]"


def _number(reach: Reach, lag: float | None) -> str:
    return f"> {reach.lags[-1]}" if lag is None else f"{lag:.1f}" if lag < 100 else f"{lag:.0f}"


def law_words(reach: Reach) -> str:
    """The law by which a curve falls, in how many resamples: "power law, lag^-1.5 (96 %)"; or that none or either fits."""
    law = reach.law
    if law is None or min(law.rate, law.exponent) >= 0:
        return "–"
    if law.fit < FITS:
        return "neither law"
    if law.share < SURE:
        return f"either law ({100 * law.share:.0f} % {law.name})"
    how = f"e-fold in {-1 / law.rate:.3g} steps" if law.name == "exponential" else f"lag^{law.exponent:.2f}"
    return f"{law.name}, {how} ({100 * law.share:.0f} %)"


def sentence(named: Mapping[str, Mapping[str, Reach]], measure: str = "state_jacobian") -> str:
    """What the comparison says in plain words: name -> measure -> Reach. "" where nothing was measured.

    Gradient and information are different things: where one outlasts the other, that is said too.
    """
    measured = {name: reaches[measure] for name, reaches in named.items() if measure in reaches}
    if not measured:
        return ""
    sequences = next(iter(measured.values())).curves.shape[2]
    lags = [f"{lag_words(reach, reach.lag1)} for {name}" for name, reach in measured.items()]
    text = f"On these {sequences} sequences the {words_of(measure)} falls to 1 % at lag {', '.join(lags)}."
    for name, reach in measured.items():
        if (read := named[name].get("decoding")) and (end := _readable(read)) > (reach.lag1.value or np.inf):
            text += f" The input {end} time steps back can still be read from the state of {name}, beyond its gradient."
    return text


def capacities(named: Mapping[str, Mapping[str, Reach]]) -> str:
    """The sum of decoding over lags with its interval, for each name: "" where nothing was decoded."""
    totals = {name: reaches["decoding"].total for name, reaches in named.items() if "decoding" in reaches}
    words = [
        f"{total.value:.1f}" + (f" [{total.low:.1f}, {total.high:.1f}]" if total.low is not None else "") + f" for {name}"
        for name, total in totals.items()
    ]
    return f"Linear memory capacity, the sum of decoding over lags: {', '.join(words)}." if words else ""


def _readable(read: Reach) -> int:
    """The last lag at which decoding is above what chance gives."""
    above = np.flatnonzero(read.low > read.floor)
    return int(read.lags[above[-1]]) if len(above) else 0
