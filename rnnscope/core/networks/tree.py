"""Networks on trees: nodes are the time steps, written children first, and all nodes of one height are computed at once."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from rnnscope.core.cells import CELLS
from rnnscope.core.cells.cell import Values
from rnnscope.core.engines import Unrolled, attached
from rnnscope.core.layout import Layout
from rnnscope.core.networks.network import Chain, Joined, Network, Taps

if TYPE_CHECKING:
    from rnnscope.core.configuration import Configuration


@dataclass(frozen=True, eq=False)
class Level:
    """Nodes of one height; all indices are long tensors.

    nodes     (N,) where they lie among the T * B places of an array
    children  (M,) all their children, as numbers in the order of computation
    parent    (M,) which of the N nodes each child belongs to
    rank      (M,) which child of that node it is, from 0
    """

    nodes: Tensor
    children: Tensor
    parent: Tensor
    rank: Tensor


def levels_of(layout: Layout, steps: int, device: torch.device) -> tuple[list[Level], Tensor]:
    """The levels of a batch of trees from the leaves up, and the number of each node (T, B) in the order of computation."""
    batch = len(layout.lengths)
    inside, each = layout.within(steps), np.arange(batch)
    parents = np.where(inside, layout.parents[:steps], -1)
    height = np.zeros((steps, batch), np.int64)
    for t in range(steps - 1):
        has = parents[t] >= 0
        up = parents[t][has], each[has]
        height[up] = np.maximum(height[up], height[t][has] + 1)
    nodes = np.flatnonzero(inside)
    order = nodes[np.argsort(height.ravel()[nodes], kind="stable")]
    number = np.zeros(steps * batch, np.int64)
    number[order] = np.arange(len(order))
    children = np.flatnonzero(parents >= 0)
    of = number[(parents * batch + each).ravel()[children]]
    by_parent = np.argsort(of, kind="stable")  # brothers stay in their own order
    children, of = number[children[by_parent]], of[by_parent]
    rank = np.arange(len(of)) - np.searchsorted(of, of)
    levels, place = [], 0
    for now in np.split(order, np.flatnonzero(np.diff(height.ravel()[order])) + 1):
        mine = slice(*np.searchsorted(of, (place, place + len(now))))
        indices = (now, children[mine], of[mine] - place, rank[mine])
        levels.append(Level(*(torch.as_tensor(index, device=device) for index in indices)))
        place += len(now)
    return levels, torch.as_tensor(number.reshape(steps, batch), device=device)


class TreeNetwork(Network):
    """A cell whose past is the children of a node. Subclasses write `node`."""

    needs = "tree"

    def __init__(self, configuration: Configuration):
        super().__init__(configuration)
        kind = CELLS[configuration.cell]
        self.cells.append(kind(self.inputs, self.units, configuration.cell_settings))
        self.names, self.width = ("nodes",), self.units

    @property
    def chains(self) -> dict[str, Chain]:
        """From every node up to the root."""
        return {"": Chain(self.names, "tree")}

    @abstractmethod
    def node(self, x: Tensor, children: Values, level: Level) -> tuple[Values, Values, Values]:
        """Compute the nodes of one level: inputs (N, I) and the states of all their children (M, H).

        Returns the new state and the signals, each (N, H), and the signals that belong to the children, each (M, H).
        """

    def run(self, inputs: Tensor, layout: Layout, *, record: bool = False, taps: Taps | None = None) -> Joined:
        """From the leaves up, one level at a time."""
        cell, name = self.cells[0], self.names[0]
        levels, number = levels_of(layout, len(inputs), inputs.device)
        flat = inputs.flatten(0, 1)
        finished: Values = {}
        nothing = inputs.new_zeros(()).expand(*inputs.shape[:2], self.units)
        tap = attached(cell, taps[name] if taps else None, nothing, finished)
        tap = {part: value.flatten(0, 1) for part, value in tap.items()}
        done = {part: flat.new_zeros(0, self.units) for part in cell.states}
        signals: dict[str, list[Tensor]] = {}
        owned: dict[str, list[Tensor]] = {}
        for level in levels:
            children = {part: values[level.children] for part, values in done.items()}
            state, now, of_children = self.node(flat[level.nodes], children, level)
            for part, values in tap.items():
                state[part] = state[part] + values[level.nodes]
            done = {part: torch.cat([values, state[part]]) for part, values in done.items()}
            if record:
                for part, value in now.items():
                    signals.setdefault(part, []).append(value)
                for part, value in of_children.items():
                    owned.setdefault(part, []).append(value)
        states = {part: values[number] for part, values in done.items()}
        finished |= {part: values.detach() for part, values in states.items()}
        if not record:
            return Joined(states[cell.output], {name: Unrolled(states, {})})
        recorded = states | {part: torch.cat(values)[number] for part, values in signals.items()}
        index = torch.cat([level.children for level in levels])
        for part, values in owned.items():
            whole = torch.full_like(done["hidden"], math.nan)  # the root is nobody's child
            recorded[part] = whole.index_copy(0, index, torch.cat(values))[number]
        recorded |= cell.derived(recorded, {})
        return Joined(states[cell.output], {name: Unrolled(states, {part: recorded[part] for part in cell.signals})})
