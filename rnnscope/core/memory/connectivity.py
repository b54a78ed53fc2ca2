"""How much an output would change with an earlier input: the norm of d output_T / d x_(T-k)."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from rnnscope.core.layout import Layout
from rnnscope.core.memory.chunks import Back, Chunk, all_layers, by_chunks
from rnnscope.core.memory.lags import by_lag, lags_of
from rnnscope.core.memory.portions import Between, in_portions, nothing
from rnnscope.core.model import Model
from rnnscope.core.networks import Chain, Network
from rnnscope.core.reach import Reach

PROBES = 8  # as many outputs are taken one by one; of more, so many random sums


def connectivity(
    model: Model,
    inputs: torch.Tensor,
    layout: Layout,
    chain: Chain,
    between: Between = nothing,
    *,
    time_step: int | None = None,
    unit: int | None = None,
) -> Reach | None:
    """`connections` by lag, not relative to anything; None at a `time_step` of a tree, which is measured from its root.

    Of two directions each is measured on its own, from the time step where it ends: what of the output it feeds itself, as
    its half of the readout, so that the parts of both add up to the gradient. In a tree: the mean over nodes equally deep.
    """
    if chain.along == "tree" and time_step is not None:
        return None
    norms = connections(model, inputs, layout, time_step, unit, chain=chain, between=between)
    lags = lags_of(layout, chain, len(inputs))
    if time_step is not None:
        lags = np.where((lags >= 0) & (time_step < layout.lengths), lags - lags[time_step], -1)
    return Reach.from_sequences("connectivity", by_lag(norms, lags))


def connections(
    model: Model,
    inputs: torch.Tensor,
    layout: Layout,
    time_step: int | None = None,
    unit: int | None = None,
    *,
    chain: Chain | None = None,
    between: Between = nothing,
) -> np.ndarray:
    """Norm over input channels of the gradient of the output at T with respect to each input: (T, B), NaN outside.

    The output is what the readout gives, before any softmax; a symbol is its vector, of which one entry is 1 (Madsen,
    Visualizing memorization in RNNs, Distill 2019, where the norm is squared). In units of output over units of input.

    time_step  T, by default the last one of each sequence; sequences that end before it are NaN
    unit       which output; by default all, as Frobenius norm: exact up to 8 of them, else from 8 random Gaussian probes as
               in `state_jacobian`, whose standard error is at most 25 % for a sequence, and which are up to 6 % too low on
             average of logs: so much where all outputs depend on the input in one way only
    chain      count only what this direction hands to the readout, by default T is where it ends
    A stack is run by chunks, in memory that hardly grows with T, with all probes at once as copies of the sequences.
    Raises ValueError for a time step or unit that is not there, and where states or gradients overflow.
    """
    longest, outputs = layout.lengths.max(), model.readout.out_features
    if time_step is not None and not 0 <= time_step < longest:
        raise ValueError(f"time_step: expected 0 to {longest - 1}, got {time_step}")
    if unit is not None and not 0 <= unit < outputs:
        raise ValueError(f"unit: expected 0 to {outputs - 1}, got {unit}")
    ends = ends_of(layout, chain) if time_step is None else np.full_like(layout.lengths, time_step)
    own = own_features(model.network, chain)
    probes = _probes(outputs, len(ends), unit) @ model.readout.weight.detach().cpu().double()[:, own]  # (P, B, W)
    if cells := all_layers(model):
        read = inputs[: ends.max() + 1]  # what comes later does not matter
        seen = partial(_Gradients, ends, probes)
        norms = by_chunks(model, cells, read, seen, between, copies=len(probes))
        norms = np.pad(norms, [(0, len(inputs) - len(read)), (0, 0)])
    else:
        norms = in_portions(
            model,
            inputs,
            lambda part: _norms(model, inputs[:, part], layout.part(part), ends[part], probes[:, part], own),
            between,
        )
    inside = layout.within(len(inputs)) & (ends < layout.lengths)
    if not np.isfinite(norms[inside]).all():
        raise ValueError("its states or their gradients overflow on these sequences, so nothing can be measured")
    return np.where(inside, norms, np.nan)


def ends_of(layout: Layout, chain: Chain | None) -> np.ndarray:
    """The time step at which each sequence's chain has read everything: (B,)."""
    return np.zeros_like(layout.lengths) if chain and chain.along == "backward" else layout.lengths - 1


def own_features(network: Network, chain: Chain | None) -> slice:
    """Which features of those that the readout sees come from a chain: all, or half of them where there are two."""
    if chain is None:
        return slice(None)
    chains = list(network.chains.values())
    width = network.width // len(chains)
    return slice(width * chains.index(chain), width * (chains.index(chain) + 1))


def _probes(outputs: int, batch: int, unit: int | None) -> torch.Tensor:
    """Sums of outputs whose squared gradients add up to the squared norm: (P, B, O)."""
    if unit is None and outputs > PROBES:
        random = torch.Generator().manual_seed(0)
        return torch.randn(PROBES, batch, outputs, generator=random, dtype=torch.float64) / PROBES**0.5
    each = torch.eye(outputs, dtype=torch.float64)
    return (each if unit is None else each[unit : unit + 1])[:, None].expand(-1, batch, -1)


class _Gradients(Back):
    """Root of the sum over probes of squared gradients with respect to a chunk's inputs, (C, B), with a copy a probe."""

    def __init__(self, ends: np.ndarray, probes: torch.Tensor, part: slice):
        super().__init__(1 + ends[part], len(probes))
        self.probes = probes[:, part].flatten(0, 1)  # (P B, W)

    def __call__(self, chunk: Chunk) -> np.ndarray:
        """Waits for the device."""
        inputs = chunk.inputs.repeat(1, self.copies, 1).requires_grad_()
        squares = self.gradient(chunk, inputs, inputs).cpu().double().square().sum(-1)
        return squares.view(len(inputs), self.copies, -1).sum(1).sqrt().numpy()

    def at_end(self, chunk, ran, last, here):
        """What the readout sees, by the probes."""
        seen = ran[-1].states[chunk.cells[-1].output][last, here]
        return [seen], [self.probes[here].to(seen)]


def _norms(
    model: Model, inputs: torch.Tensor, layout: Layout, ends: np.ndarray, probes: torch.Tensor, own: slice
) -> np.ndarray:
    """Root of the sum over probes, as gradients (P, B, W) of what the readout sees, of squared gradients: (T, B)."""
    inputs = inputs.detach().requires_grad_()
    with torch.enable_grad():
        seen = model.network.run(inputs, layout).outputs[torch.as_tensor(ends), torch.arange(len(ends)), own]
        squares = torch.zeros(inputs.shape[:2], dtype=torch.float64)
        for probe in probes:
            found = torch.autograd.grad(seen, inputs, probe.to(seen), retain_graph=True, materialize_grads=True)[0]
            squares += found.cpu().double().square().sum(-1)  # waits for the device
    return squares.sqrt().numpy()
