"""Time scales: for how long the gates of each unit alone would keep its memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnscope.core.attention import time_scales as of_units
from rnnscope.views.plot import Axis, Panel, Plot, Points
from rnnscope.views.scales import decades
from rnnscope.views.subject import Position, Subject, head
from rnnscope.views.words import number

NO_GATES = "This cell has no gates that keep a memory."
FOR_EVER = "These gates keep everything for ever."
NOTHING = "These gates have no time scale on these sequences."


def time_scales(subjects: Sequence[Subject], position: Position) -> Plot:
    """All runs in one plot, a dot for each unit: the time steps in which what it remembers falls to 1/e, on a log axis, the
    longest first. Read across: the share of the units that keep their memory at least so long. Dotted is how long the
    sequences are: units far above it forget nothing, units far below it nearly all.
    """
    found = {subject: of_units(subject.trace) for subject in subjects if subject.trace is not None}
    known = [scales for scales in found.values() if scales is not None]
    clouds = tuple(_cloud(subject, scales, position, len(found) > 1) for subject, scales in found.items())
    told = np.concatenate(known or [np.zeros(0)])
    empty = "" if np.isfinite(told).any() else FOR_EVER if np.isinf(told).any() else NOTHING if known else NO_GATES
    steps = {int(subject.trace.lengths.max()) for subject in found}
    low, high = decades([*known, np.array([*steps], float)])
    levels = tuple((float(count), f"{count:,} time steps") for count in sorted(steps))
    x, y = Axis("value", "share of the units", 0, 1), Axis("value", "time steps", low, high, log=True, levels=levels)
    chosen = ", ".join(number(cloud.y[cloud.chosen]) if len(cloud.y) else "–" for cloud in clouds)
    title = "time scale of the gates" if empty else f"time scale of the gates, unit {position.unit}: {chosen}"
    panel = Panel(title, x, y, () if empty else clouds, "τ", empty=empty)
    return Plot("Time scales", ((panel,),) if found else (), tuple(map(head, found)) if len(found) == 1 else ())


def _cloud(subject: Subject, scales: np.ndarray | None, position: Position, several: bool) -> Points:
    name = head(subject)[0]
    if scales is None:
        return Points(np.empty(0), np.empty(0), f"{name}, no gates", subject.style)
    ranks = np.empty(len(scales))
    ranks[np.argsort(-scales, kind="stable")] = np.arange(1, len(scales) + 1) / len(scales)
    chosen = min(position.unit, len(scales) - 1)
    return Points(ranks, scales, name if several else "unit", subject.style, chosen=chosen, chooses="unit")
