"""The tree: nodes coloured by a signal, and the gradient along the path to the root."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnscope.core.trace import Trace
from rnnscope.views.gradient import NO_TARGETS
from rnnscope.views.input import symbols_of
from rnnscope.views.plot import Axis, Lines, Panel, Plot, Points, Style
from rnnscope.views.scales import decades, largest, round_up
from rnnscope.views.subject import Position, Subject, head

NO_TREE = "This task has no trees."
HEIGHT = 2.5  # of the tree beside the panel beneath it


def tree(subjects: Sequence[Subject], position: Position) -> Plot:
    """A column per run: the tree with its root above, coloured by the cursor's signal and unit, the path from the cursor's
    node to the root drawn strong; beneath, the gradient norm of every node, and of those on that path as a curve.
    """
    shown = [subject for subject in subjects if subject.trace is not None]
    having = [subject.trace for subject in shown if _has(subject)]
    norms = [norm for trace in having if (norm := _norms(trace, position.sequence)) is not None]
    deepest = max([1, *(positions(_parents(trace, position.sequence))[1].max() for trace in having)])
    x, y = Axis("lag", "nodes below the root", 0, int(deepest)), Axis("value", "", *decades(norms), log=True)
    trees = tuple(_tree(subject, position) for subject in shown)
    paths = tuple(_path(subject, position, x, y) if _has(subject) else None for subject in shown)
    return Plot("Tree", (trees, paths), tuple(map(head, shown)))


def _has(subject: Subject) -> bool:
    return subject.trace.parents is not None


def _tree(subject: Subject, position: Position) -> Panel:
    trace, b = subject.trace, position.sequence
    none = Axis("none", "", 0, 1)
    if not _has(subject):
        return Panel("tree", none, none, (), "", subject.name, empty=NO_TREE, height=HEIGHT)
    parents = _parents(trace, b)
    nodes, (across, depths) = len(parents), positions(parents)
    name = position.signal if position.signal in trace.signals else "hidden"
    signal, unit = trace.legend[name], min(position.unit, trace.units - 1)
    values = trace.signals[name][:nodes, b, unit]
    if (signal.low, signal.high) == (0, 1):
        low, high, palette = 0.0, 1.0, "share"
    else:
        high = signal.high or round_up(largest([trace.signals[name][:, b]]))
        low, palette = (0.0, "positive") if signal.low == 0 else (-high, "signed")
    child = np.flatnonzero(parents >= 0)
    here = min(position.time_step, nodes) - 1
    mark = Points(
        across,
        -depths,
        "node",
        subject.style,
        values,
        low,
        high,
        palette,
        labels=symbols_of(subject, b)[:nodes],
        links=np.stack([child, parents[child]], 1),
        strong=np.isin(child, path_of(parents, here)),
        chosen=here,
        chooses="time",
    )
    x = Axis("none", "", -0.6, across.max() + 0.6)
    y = Axis("none", "", -depths.max() - 0.5, 0.5)
    return Panel(f"{signal.words}, unit {unit}", x, y, (mark,), f"{signal.symbol}[{unit}]", subject.name, height=HEIGHT)


def positions(parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where nodes stand: leaves side by side in the order in which they are written, others above the middle of their
    children (N,); and how far below the root (N,). Children are written before their parents.
    """
    across, children = np.zeros(len(parents)), [[] for _ in parents]
    leaves = 0
    for node, parent in enumerate(parents):
        if children[node]:
            across[node] = np.mean([across[children[node][0]], across[children[node][-1]]])
        else:
            across[node], leaves = leaves, leaves + 1
        if parent >= 0:
            children[parent].append(node)
    depths = np.zeros(len(parents))
    for node in range(len(parents) - 1, -1, -1):
        if parents[node] >= 0:
            depths[node] = depths[parents[node]] + 1
    return across, depths


def path_of(parents: np.ndarray, node: int) -> list[int]:
    """The nodes from `node` up to the root."""
    path = [node]
    while parents[path[-1]] >= 0:
        path.append(int(parents[path[-1]]))
    return path


def _parents(trace: Trace, sequence: int) -> np.ndarray:
    """The parent of each node of a tree (N,)."""
    return trace.parents[: int(trace.lengths[sequence]), sequence]


def _norms(trace: Trace, sequence: int) -> np.ndarray | None:
    """The gradient norm of each node (N,), a gap where it is 0; None without targets."""
    if not trace.gradients:
        return None
    norms = trace.gradients["state"][: int(trace.lengths[sequence]), sequence]
    return np.where(norms > 0, norms, np.nan)


def _path(subject: Subject, position: Position, x: Axis, y: Axis) -> Panel:
    title, symbol = "gradient norm", "|dL/ds|"
    parents, norms = _parents(subject.trace, position.sequence), _norms(subject.trace, position.sequence)
    if norms is None:
        return Panel(title, x, y, (), symbol, subject.name, empty=NO_TARGETS)
    here = min(position.time_step, len(parents)) - 1
    dots = Points(positions(parents)[1], norms, "node", Style("faint"), chosen=here, chooses="time")
    path = path_of(parents, here)[::-1]
    curve = Lines(np.arange(len(path)), norms[None, path], ("path to the root",), (subject.style,))
    return Panel(title, x, y, (dots, curve), symbol, subject.name)
