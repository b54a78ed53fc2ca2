"""A model over its time steps in pieces: there one after another, and back for the gradients of its states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnscope.core.cells.cell import Values
from rnnscope.core.engines import NORMS
from rnnscope.core.layout import Layout
from rnnscope.core.losses import LOSSES
from rnnscope.core.model import Model
from rnnscope.core.networks import Joined, Network


@dataclass(frozen=True, eq=False)
class Piece:
    """What a model did in the time steps `span`, from the states before them on.

    answers  outputs (C, B, O) and, given targets, loss (C, B)
    """

    span: slice
    start: dict[str, Values]
    joined: Joined
    answers: Values
    taps: dict[str, Values] | None


class Pieces:
    """All time steps of `inputs` (T, B, I), `length` at once: fewer than T only of a network that `resumes`.

    targets, weights  what is right, (T, B) or (T, B, O), and how much it counts, (T, B); or None
    What is held grows by the states between pieces only.
    """

    def __init__(
        self, model: Model, inputs: Tensor, layout: Layout, targets: Tensor | None, weights: Tensor | None, length: int
    ):
        self.model, self.inputs, self.layout, self.targets, self.weights = model, inputs, layout, targets, weights
        self.spans = [slice(first, min(first + length, len(inputs))) for first in range(0, len(inputs), length)]
        shape = len(self.spans), inputs.shape[1]
        self._starts = {  # layer -> its states before each piece; before the first they are the cells' own
            name: {part: inputs.new_empty(*shape, cell.units) for part in cell.states}
            for name, cell in model.network.layers.items()
        }
        self._newest: Piece | None = None

    def there(self) -> Iterator[Piece]:
        """Run all pieces, recording."""
        last = len(self.spans) - 1
        for n in range(last + 1):
            piece = self._run(n, record=True, back=n == last and self.targets is not None)
            if n < last:
                for name, state in self._ends(piece).items():
                    for part, value in state.items():
                        self._starts[name][part][n + 1] = value
            else:
                self._newest = piece
            yield piece

    def back(self) -> Iterator[tuple[slice, dict[str, Values]]]:
        """Norms of the gradient of the scored loss: layer -> state -> (C, B), of each piece, the newest first.

        "state" is the norm over the full state in the cell's own coordinates.
        """
        network, carried = self.model.network, ()
        for n in range(len(self.spans))[::-1] if self.targets is not None else ():
            piece, self._newest = self._newest or self._run(n, record=False, back=True), None
            span, start = piece.span, piece.start
            weights = self.weights[span]
            with torch.enable_grad():
                scored = (torch.where(weights > 0, piece.answers["loss"], 0) * weights).sum()
            ends = _flat(self._ends(piece)) if carried else []
            gauges = [tap[NORMS] for tap in piece.taps.values()]
            given = [1 / self.weights.sum(), *carried]
            found = torch.autograd.grad([scored, *ends], [*gauges, *_flat(start)], given, materialize_grads=True)
            norms, carried = found[: len(gauges)], found[len(gauges) :]
            parts = (("state", *cell.states) for cell in network.layers.values())
            named = (dict(zip(names, norm.unbind(-1), strict=True)) for names, norm in zip(parts, norms, strict=True))
            yield span, dict(zip(network.layers, named, strict=True))

    def _run(self, n: int, record: bool, back: bool) -> Piece:
        network, span = self.model.network, self.spans[n]
        inputs = self.inputs[span]
        taps = taps_for(network, network.layers, inputs) if back else None
        start = {
            name: {part: value[n].detach().requires_grad_(back) for part, value in state.items()}
            for name, state in (self._starts if n else {}).items()
        }
        resumed = {"start": start} if start else {}
        with torch.set_grad_enabled(back):
            joined = network.run(inputs, self.layout, record=record, taps=taps, **resumed)
            answers = {"outputs": self.model.readout(joined.outputs)}
            if self.targets is not None:
                answers["loss"] = LOSSES[self.model.task.loss](answers["outputs"], self.targets[span])
        return Piece(span, start, joined, answers, taps)

    def _ends(self, piece: Piece) -> dict[str, Values]:
        """Layer -> its state after the piece."""
        layers = self.model.network.layers.items()
        return {name: {part: piece.joined.layers[name].states[part][-1] for part in cell.states} for name, cell in layers}


def taps_for(network: Network, layers: Iterable[str], inputs: Tensor) -> dict[str, Values]:
    """What to attach to the states of all layers; those of `layers` want the norms of their gradients."""
    dtype = torch.float32 if inputs.device.type == "mps" else torch.float64  # MPS has no float64
    return {
        name: {NORMS: inputs.new_zeros(*inputs.shape[:2], 1 + len(cell.states), dtype=dtype).requires_grad_(name in layers)}
        for name, cell in network.layers.items()
    }


def _flat(states: dict[str, Values]) -> list[Tensor]:
    return [value for state in states.values() for value in state.values()]
