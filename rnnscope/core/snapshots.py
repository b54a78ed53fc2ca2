"""Snapshots: the weights of a model at iterations of its training, evenly on a log axis, within a bound of memory."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rnnscope.core.model import Model

PER_OCTAVE = 8.0  # snapshots while the iterations double: 0, 1, 2, .. 11, 12, 13, 15, 16, 17, 19, 21, ..
LARGEST = 2**28  # bytes of all snapshots of a model
MOST = 400  # of them; ten million iterations make 190

Weights = Mapping[str, np.ndarray]


def due(iteration: int, per_octave: float = PER_OCTAVE) -> bool:
    """Whether the schedule has a snapshot after so many updates: 0, and every 2^(k / per_octave), rounded.

    All that is due at half as many per octave is due at `per_octave`, too: thinning out is going to the sparser schedule.
    """
    if iteration < 1:
        return iteration == 0
    return round(2 ** (round(per_octave * math.log2(iteration)) / per_octave)) == iteration


@dataclass(frozen=True, eq=False)
class Snapshots:
    """Iteration -> the weights after so many updates, by the names of `state_dict`; read-only, in order of the iterations.

    Where they would pass LARGEST bytes or MOST in number, they go on with half as many per octave, as often as needed; the
    first stays. A model so large that two of it would pass LARGEST has none. The newest weights are
    among them only where they are due: these are the model itself.
    """

    weights: Mapping[int, Weights] = field(default_factory=dict)
    per_octave: float = PER_OCTAVE

    def __post_init__(self):
        weights = {iteration: _frozen(weights) for iteration, weights in self.weights.items()}
        object.__setattr__(self, "weights", MappingProxyType(weights))

    def __reduce__(self):
        return Snapshots, ({iteration: dict(weights) for iteration, weights in self.weights.items()}, self.per_octave)

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def iterations(self) -> tuple[int, ...]:
        """Of all snapshots, increasing."""
        return tuple(self.weights)

    @property
    def nbytes(self) -> int:
        """Of all snapshots."""
        return sum(array.nbytes for weights in self.weights.values() for array in weights.values())

    def added(self, iteration: int, weights: Weights) -> Snapshots:
        """With one more behind these; what is there of this iteration or a later one goes."""
        if 2 * sum(array.nbytes for array in weights.values()) > LARGEST:
            return Snapshots()
        kept = Snapshots(self.before(iteration).weights | {iteration: weights}, self.per_octave)
        while kept.nbytes > LARGEST or len(kept) > MOST:
            kept = kept.thinned(kept.per_octave / 2)
        return kept

    def before(self, iteration: int) -> Snapshots:
        """Those of fewer updates."""
        return Snapshots({n: weights for n, weights in self.weights.items() if n < iteration}, self.per_octave)

    def thinned(self, per_octave: float) -> Snapshots:
        """The first, and what the schedule has with so many per octave."""
        first = self.iterations[:1]
        kept = {n: weights for n, weights in self.weights.items() if n in first or due(n, per_octave)}
        return Snapshots(kept, per_octave)


def nearest(iterations: tuple[int, ...], iteration: int) -> int | None:
    """Of increasing iterations the last that is not later; the first where all are; None of none."""
    return iterations[max(bisect_right(iterations, iteration) - 1, 0)] if iterations else None


def weights_of(model: Model) -> dict[str, np.ndarray]:
    """A copy of all weights by name, in the model's own precision. Waits for the device."""
    return {name: value.detach().cpu().numpy().copy() for name, value in model.state_dict().items()}


def _frozen(weights: Weights) -> Weights:
    views = {name: array.view() for name, array in weights.items()}
    for view in views.values():
        view.flags.writeable = False
    return MappingProxyType(views)
