"""Many long sequences are measured a few at a time, in bounded memory, with progress and a way out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from rnnscope.core.model import Model

MEMORY = 256 * 2**20  # bytes that the graph of one portion may take, roughly
FLOATS = 100  # of a graph per time step, sequence and unit, as measured for the RWA

Between = Callable[[float], None]


def nothing(done: float) -> None:
    """What happens between two portions unless a caller wants more."""


def in_portions(model: Model, inputs: Tensor, measure: Callable[[slice], np.ndarray], between: Between) -> np.ndarray:
    """Call `measure` on slices of the sequences of `inputs` (T, B, I) and join its results (T, b) to (T, B).

    between  called after each portion with the share that is done, 0..1; what it raises ends the measurement
    """
    steps, batch = inputs.shape[:2]
    size = that_fit(model, steps)
    parts = []
    for first in range(0, batch, size):
        parts.append(measure(slice(first, first + size)))
        between(min(1.0, (first + size) / batch))
    return np.concatenate(parts, axis=1)


def that_fit(model: Model, each: int) -> int:
    """How many graphs of so many time steps fit into MEMORY at once; at least 1."""
    units = sum(cell.units for cell in model.network.layers.values())
    return max(1, MEMORY // (each * units * FLOATS * 4))
