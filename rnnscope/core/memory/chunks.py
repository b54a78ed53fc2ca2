"""One layer over very many time steps: there a chunk at a time, keeping the states between chunks, and by chunks back.

What is held grows by the states between chunks only, so that a hundred thousand time steps take little more memory than a
thousand; the time they take grows as they do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rnnscope.core.cells import Cell
from rnnscope.core.cells.cell import Values
from rnnscope.core.engines import ENGINES, Unrolled
from rnnscope.core.engines.kernel_cache import prepare
from rnnscope.core.memory.portions import Between, that_fit
from rnnscope.core.model import Model
from rnnscope.core.networks import Chain, Stack

ROOM = 256  # time steps of a chunk that a portion of the sequences leaves room for, where there are as many
LEAST, MOST = (
    16,
    2048,
)  # time steps of a chunk: whatever they take; and for the progress, and because they stay in the cache
WORTH = 20_000  # time steps from which on missing kernels are waited for
THERE = 0.1  # share of the work that is the way there, for the progress only


@dataclass(frozen=True, eq=False)
class Chunk:
    """Time steps first..last - 1 of some sequences.

    inputs  (C, b, I), what the layer reads; start  its state before them, (b, H) each
    """

    cell: Cell
    engine: str
    first: int
    last: int
    inputs: Tensor
    start: Values

    def run(self, **options) -> Unrolled:
        """The layer over the chunk; `options` as `engines.reference.unroll` takes them, in place of the chunk's own."""
        options = {"start": self.start, "inputs": self.inputs} | options
        return ENGINES[self.engine](self.cell, **options)


Visit = Callable[[Chunk], np.ndarray]


def lone_layer(model: Model, chain: Chain) -> Cell | None:
    """The cell of a chain that can be run by chunks: the one layer with memory of a stack, in time, that keeps no time."""
    if type(model.network) is not Stack or len(chain.layers) > 1:
        return None
    cell = model.network.layers[chain.layers[0]]
    return cell if type(cell).at is Cell.at else None


def by_chunks(
    model: Model, chain: Chain, inputs: Tensor, visitor: Callable[[slice], Visit], between: Between, copies: int = 1
) -> np.ndarray:
    """Visit all chunks of the `lone_layer` of a chain from the last to the first, and join the results (C, b) to (T, B).

    visitor  given a portion of the sequences of `inputs` (T, B, I), what to call on each of its chunks in turn
    between  called after each chunk with the share that is done, 0..1; what it raises ends the measurement
    copies   how many times the visit runs each sequence at once
    """
    steps, batch = inputs.shape[:2]
    engine = {None: "reference", "vendor": "fused"}.get(model.network.engine, model.network.engine)  # torch's keep no cell
    if engine != "reference" and inputs.device.type == "cpu" and steps >= WORTH:
        prepare(lone_layer(model, chain), inputs.dtype, wait=True)
    size = min(batch, that_fit(model, min(steps, ROOM) * copies))
    length = min(max(LEAST, that_fit(model, size * copies)), MOST)
    portions = [slice(first, first + size) for first in range(0, batch, size)]
    found = []
    for n, part in enumerate(portions):
        visit, parts = visitor(part), []
        chunks = _Chunks(model, chain, engine, inputs[:, part], length)
        for done in chunks.there():
            between((n + THERE * done) / len(portions))
        for chunk, done in chunks.back():
            parts.append(visit(chunk))
            between((n + done) / len(portions))
        found.append(np.concatenate(parts[::-1]))
    return np.concatenate(found, axis=1)


class _Chunks:
    """The chunks of one portion of the sequences."""

    def __init__(self, model: Model, chain: Chain, engine: str, inputs: Tensor, length: int):
        below = model.network.names.index(chain.layers[0])
        self.below: Sequence[Cell] = list(model.network.cells)[:below]
        self.cell, self.engine, self.inputs = lone_layer(model, chain), engine, inputs
        self.spans = [(first, min(first + length, len(inputs))) for first in range(0, len(inputs), length)]
        self.before: list[Values] = []

    def there(self):
        """Run all chunks but the last, for the states between them; yields the share that is done after each."""
        with torch.no_grad():
            state = self.cell.initial_state(self.inputs.shape[1])
        self.before.append(state)
        for n in range(len(self.spans) - 1):
            with torch.no_grad():
                ran = self._chunk(n).run(keep=self.cell.states)
            self.before.append({name: ran.states[name][-1].clone() for name in self.cell.states})
            yield (n + 1) / len(self.spans)

    def back(self):
        """Yields each chunk, the last first, and the share that is done once it has been visited."""
        for n in reversed(range(len(self.spans))):
            yield self._chunk(n), THERE + (1 - THERE) * (1 - n / len(self.spans)) if n else 1.0

    def _chunk(self, n: int) -> Chunk:
        first, last = self.spans[n]
        inputs = self.inputs[first:last]
        with torch.no_grad():
            for cell in self.below:  # layers without memory
                inputs = ENGINES[self.engine](cell, inputs).states[cell.output]
        return Chunk(self.cell, self.engine, first, last, inputs, self.before[n])
