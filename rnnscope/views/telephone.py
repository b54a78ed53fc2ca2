"""The figure of `rnnscope telephone`: what is left of the first symbol, and what each symbol holds of the last memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnscope.views.plot import Axis, Lines, Panel, Plot
from rnnscope.views.subject import Style
from rnnscope.views.words import number

POINTS = 400  # drawn of each curve, evenly and on a log axis


def telephone(names: Sequence[str], styles: Sequence[Style], left: np.ndarray, shares: np.ndarray) -> Plot:
    """Two panels over the same 1..T, with a curve for each of K cells.

    left    (K, T), of what the first symbol gave to the memory the share that is in it after each time step
    shares  (K, T), of the memory after the last time step the share that each symbol holds
    """
    steps = left.shape[1]
    x = np.unique(np.r_[np.geomspace(1, steps, POINTS), np.linspace(1, steps, POINTS)].round().astype(int))
    panels = []
    for title, label, values in (
        ("left of the first symbol's contribution", "time step", left),
        ("share of the last memory, symbol by symbol", "symbol", shares),
    ):
        ends = values[:, -1] if values is left else values[:, 0]
        levels = tuple((float(end), plain(float(end))) for end in ends)
        low, high = float(values.min()) / 2, float(values.max()) * 1.5  # no curve lies on an edge
        marks = (Lines(x, values[:, x - 1], tuple(names), tuple(styles)),)
        panels.append(
            Panel(title, Axis("time", label, 1, steps), Axis("value", "", low, high, log=True, levels=levels), marks)
        )
    return Plot("Telephone", (tuple(panels),))


def plain(share: float) -> str:
    """Three digits that matter, without a power of ten where all its digits find room: 0.0000454, else 4.54e−9."""
    digits = np.format_float_positional(share, precision=3, unique=False, fractional=False, trim="-")
    return digits if len(digits) <= 10 else number(share)
