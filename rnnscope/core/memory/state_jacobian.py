"""How far back a memory still depends on an earlier one: the norm of d s_T / d s_(T-k)."""

from __future__ import annotations

import numpy as np
import torch

from rnnscope.core.cells import Cell
from rnnscope.core.engines import NORMS
from rnnscope.core.layout import Layout
from rnnscope.core.memory.chunks import Back, Chunk, by_chunks, lone_layer
from rnnscope.core.memory.lags import by_lag, lags_of
from rnnscope.core.memory.portions import Between, in_portions, nothing
from rnnscope.core.model import Model
from rnnscope.core.networks import Chain
from rnnscope.core.pieces import taps_for
from rnnscope.core.reach import Reach

PROBES = 8


def state_jacobian(model: Model, inputs: torch.Tensor, layout: Layout, chain: Chain, between: Between = nothing) -> Reach:
    """Norm of the Jacobian of the last memory with respect to the full state k time steps (in a tree: k nodes) before.

    The memory is the full state of the chain's layers; with attention over the whole sequence it is the context vector.
    Random Gaussian probes v from a fixed seed: E |v^T J|^2 is the squared Frobenius norm of J (Hutchinson 1990). Each curve
    is divided by its value at lag 0, where J of the full state of one layer is the identity; over sequences the mean is
    geometric, because norms multiply along time (Pascanu, Mikolov and Bengio 2013). States are taken in the cell's own
    coordinates, with what a layer hands up to others at the same time step.

    One layer is run by chunks, in memory that hardly grows with T, with all probes at once as copies of the sequences.
    inputs (T, B, I) and layout as from `sequences_for`; `between` as in `in_portions`, or after each chunk. Raises
    ValueError when states or gradients overflow.
    """
    random = torch.Generator().manual_seed(0)
    if lone := lone_layer(model, chain):
        norms = by_chunks(model, [lone], inputs, lambda part: _Norms(layout.part(part), random), between, copies=PROBES)
    else:
        norms = in_portions(
            model, inputs, lambda part: _norms(model, inputs[:, part], layout.part(part), chain, random), between
        )
    lags = lags_of(layout, chain, len(inputs))
    if not np.isfinite(norms[lags >= 0]).all():
        raise ValueError("its states or their gradients overflow on these sequences, so nothing can be measured")
    curves = by_lag(norms, lags)
    return Reach.from_sequences("state_jacobian", curves / curves[0])


class _Norms(Back):
    """Root mean square over probes of |v^T d memory / d s_t| for the time steps of a chunk, (C, B), with a copy a probe."""

    def __init__(self, layout: Layout, random: torch.Generator):
        super().__init__(layout.lengths, PROBES)
        self.random, self.probes = random, []  # for each part of the memory, (PROBES B, H)

    def __call__(self, chunk: Chunk) -> np.ndarray:
        """Waits for the device."""
        (cell,), inputs = chunk.cells, chunk.inputs.repeat(1, PROBES, 1)
        dtype = torch.float32 if inputs.device.type == "mps" else torch.float64  # MPS has no float64
        gauge = inputs.new_zeros(*inputs.shape[:2], 1 + len(cell.states), dtype=dtype).requires_grad_()
        norms = self.gradient(chunk, gauge, inputs, taps={NORMS: gauge})
        working = torch.from_numpy(np.arange(chunk.first, chunk.last)[:, None] < self.lengths)
        squares = torch.where(working, _squares(cell, norms), 0).double()
        return squares.view(len(inputs), PROBES, -1).mean(1).sqrt().numpy()

    def at_end(self, chunk, ran, last, here):
        """The memory, by the probes."""
        (cell,), (one,) = chunk.cells, ran
        parts = list(cell.coordinates({name: one.states[name][last, here] for name in cell.states}).values())
        self.probes = self.probes or self._drawn(parts)
        return parts, [probe[here] for probe in self.probes]

    def _drawn(self, parts: list[torch.Tensor]) -> list[torch.Tensor]:
        """Probes of all sequences for each part of the memory, (PROBES B, H) each."""
        shape = (len(self.lengths) // PROBES, parts[0].shape[1])
        drawn = [[torch.randn(shape, generator=self.random) for _ in parts] for _ in range(PROBES)]
        return [torch.cat(rows).to(part) for rows, part in zip(zip(*drawn, strict=True), parts, strict=True)]


def _norms(model: Model, inputs: torch.Tensor, layout: Layout, chain: Chain, random: torch.Generator) -> np.ndarray:
    """Root mean square over probes of |v^T d memory / d s_t|, for every time step t: (T, B)."""
    network = model.network
    layers = {name: network.layers[name] for name in chain.layers}
    taps = taps_for(network, layers, inputs)
    squares = torch.zeros(inputs.shape[:2], dtype=torch.float64)
    with torch.enable_grad():
        ran = network.run(inputs, layout, taps=taps)
        ends = network.end(chain, ran, layout)
        gauges = [taps[name][NORMS] for name in layers]
        for _ in range(PROBES):
            probes = [torch.randn(value.shape, generator=random).to(value) for value in ends]
            found = torch.autograd.grad(ends, gauges, probes, retain_graph=True, materialize_grads=True)
            for (name, cell), norms in zip(layers.items(), found, strict=True):
                working = torch.from_numpy(network.active(name, layout, len(inputs)))
                squares += torch.where(working, _squares(cell, norms), 0)
    return (squares / PROBES).sqrt().numpy()


def _squares(cell: Cell, norms: torch.Tensor) -> torch.Tensor:
    """Squared norm of the gradient with respect to the full state, (T, B), from those of a gauge. Waits for the device."""
    parts = [0, *(1 + cell.states.index(part) for part in cell.handed_up)]
    return norms[..., parts].square().sum(-1).cpu()
