"""A stack over very many time steps: there a chunk at a time, keeping the states between chunks, and by chunks back.

What is held grows by the states between chunks only, so that a hundred thousand time steps take little more memory than a
thousand; the time they take grows as they do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
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
from rnnscope.core.networks import Chain

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

    inputs  (C, b, I), what the lowest of the cells reads; start  the state of each cell before them, (b, H) each part
    """

    cells: Sequence[Cell]
    engine: str
    first: int
    last: int
    inputs: Tensor
    start: Sequence[Values]

    def run(
        self, inputs: Tensor | None = None, start: Sequence[Values] | None = None, record: bool = False, **options
    ) -> list[Unrolled]:
        """The cells over the chunk, one above the other, with all their states or a record.

        `inputs` and `start` in place of the chunk's own, and options, as `engines.reference.unroll` takes them.
        """
        inputs, lower, ran = self.inputs if inputs is None else inputs, None, []
        for cell, above, state in zip(self.cells, [*self.cells[1:], None], start or self.start, strict=True):
            keep = () if record else (*cell.states, *(above.lower if above else ()))
            ran.append(ENGINES[self.engine](cell, inputs, start=state, lower=lower, record=record, keep=keep, **options))
            inputs, lower = ran[-1].states[cell.output], ran[-1].states
        return ran


Visit = Callable[[Chunk], np.ndarray]


class Back(ABC):
    """A visit of each chunk that takes gradients of what is found where sequences end, the newest chunk first.

    lengths  (B,) time steps after which each sequence's end is reached; `copies` of all sequences run side by side: rows
             0..B-1 are the first copy, the next B rows the second
    """

    def __init__(self, lengths: np.ndarray, copies: int):
        self.lengths, self.copies = np.tile(lengths, copies), copies
        self.carried: list[Tensor] = []  # gradients with respect to the states before the chunk behind

    @abstractmethod
    def __call__(self, chunk: Chunk) -> np.ndarray:
        """(C, B) of the chunk."""

    @abstractmethod
    def at_end(self, chunk: Chunk, ran: list[Unrolled], last: Tensor, here: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """What the gradient is taken of at time steps `last` of the rows `here`, and by what it is multiplied."""

    def gradient(self, chunk: Chunk, leaf: Tensor, inputs: Tensor, **options) -> Tensor:
        """With respect to a leaf, from which a run of the chunk's copies with `inputs` and `options` is made."""
        start = [{part: each.repeat(self.copies, 1).requires_grad_() for part, each in one.items()} for one in chunk.start]
        values = [value for one in start for value in one.values()]
        with torch.enable_grad():
            ran = chunk.run(inputs, start, **options)
            ends, given = self._ends(chunk, ran)
            if not ends:
                return torch.zeros_like(leaf)
            found, *carried = torch.autograd.grad(ends, [leaf, *values], given, materialize_grads=True)
        reached = torch.from_numpy(self.lengths > chunk.first).to(leaf.device)[:, None]
        self.carried = [_normal(torch.where(reached, part, 0)) for part in carried]
        return found

    def _ends(self, chunk: Chunk, ran: list[Unrolled]) -> tuple[list[Tensor], list[Tensor]]:
        """Where the way back begins: at the states handed on to the chunk behind, and where sequences end."""
        handed_on = [one.states[part][-1] for cell, one in zip(chunk.cells, ran, strict=True) for part in cell.states]
        here = torch.from_numpy(np.flatnonzero((chunk.first < self.lengths) & (self.lengths <= chunk.last)))
        if not len(here):
            return handed_on[: len(self.carried)], self.carried
        last = torch.from_numpy(self.lengths)[here] - 1 - chunk.first
        ends, given = self.at_end(chunk, ran, last, here)
        return handed_on[: len(self.carried)] + ends, self.carried + given


def _normal(values: Tensor) -> Tensor:
    """The same with 0 for what is denormal: it would neither shrink any further, by rounding, nor be fast to multiply."""
    return torch.where(values.abs() < torch.finfo(values.dtype).tiny, 0, values)


def lone_layer(model: Model, chain: Chain) -> Cell | None:
    """The cell of a chain that can be run by chunks: the one layer with memory of a stack, in time, that keeps no time."""
    return model.network.layers[chain.layers[0]] if len(chain.layers) == 1 and all_layers(model) else None


def all_layers(model: Model) -> Sequence[Cell]:
    """All cells of a network that can be run by chunks: a stack of them, none of which keeps time; () of another."""
    return tuple(model.network.cells) if model.network.resumes else ()


def by_chunks(
    model: Model,
    cells: Sequence[Cell],
    inputs: Tensor,
    visitor: Callable[[slice], Visit],
    between: Between,
    copies: int = 1,
) -> np.ndarray:
    """Visit all chunks of some of `all_layers`, one above the other, from the last to the first: join (C, b) to (T, B).

    cells    from the lowest that has memory on at least; what is below them is run without a way back
    visitor  given a portion of the sequences of `inputs` (T, B, I), what to call on each of its chunks in turn
    between  called after each chunk with the share that is done, 0..1; what it raises ends the measurement
    copies   how many times the visit runs each sequence at once
    """
    steps, batch = inputs.shape[:2]
    engine = {None: "reference", "vendor": "fused"}.get(model.network.engine, model.network.engine)  # torch's keep no cell
    if engine != "reference" and inputs.device.type == "cpu" and steps >= WORTH:
        for cell in cells:
            prepare(cell, inputs.dtype, wait=True, meanwhile=lambda: between(0.0))
    size = min(batch, that_fit(model, min(steps, ROOM) * copies))
    length = min(max(LEAST, that_fit(model, size * copies)), MOST)
    portions = [slice(first, first + size) for first in range(0, batch, size)]
    found = []
    for n, part in enumerate(portions):
        visit, parts = visitor(part), []
        chunks = _Chunks(all_layers(model), cells, engine, inputs[:, part], length)
        for done in chunks.there():
            between((n + THERE * done) / len(portions))
        for chunk, done in chunks.back():
            parts.append(visit(chunk))
            between((n + done) / len(portions))
        found.append(np.concatenate(parts[::-1]))
    return np.concatenate(found, axis=1)


class _Chunks:
    """The chunks of one portion of the sequences."""

    def __init__(self, stack: Sequence[Cell], cells: Sequence[Cell], engine: str, inputs: Tensor, length: int):
        self.below = stack[: stack.index(cells[0])]
        self.cells, self.engine, self.inputs = cells, engine, inputs
        self.spans = [(first, min(first + length, len(inputs))) for first in range(0, len(inputs), length)]
        self.before: list[list[Values]] = []

    def there(self):
        """Run all chunks but the last, for the states between them; yields the share that is done after each."""
        with torch.no_grad():
            self.before.append([cell.initial_state(self.inputs.shape[1]) for cell in self.cells])
        for n in range(len(self.spans) - 1):
            with torch.no_grad():
                ran = self._chunk(n).run()
            ends = zip(self.cells, ran, strict=True)
            self.before.append([{part: one.states[part][-1].clone() for part in cell.states} for cell, one in ends])
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
        return Chunk(self.cells, self.engine, first, last, inputs, self.before[n])
