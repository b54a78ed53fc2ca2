"""How far back a memory still depends on an earlier one: the norm of d s_T / d s_(T-k)."""

from __future__ import annotations

import numpy as np
import torch

from rnnscope.core.engines import NORMS
from rnnscope.core.layout import Layout
from rnnscope.core.memory.lags import by_lag, lags_of
from rnnscope.core.memory.portions import Between, in_portions, nothing
from rnnscope.core.model import Model
from rnnscope.core.networks import Chain
from rnnscope.core.reach import Reach
from rnnscope.core.recording import taps_for

PROBES = 8


def state_jacobian(model: Model, inputs: torch.Tensor, layout: Layout, chain: Chain, between: Between = nothing) -> Reach:
    """Norm of the Jacobian of the last memory with respect to the full state k time steps (in a tree: k nodes) before.

    The memory is the full state of the chain's layers; with attention over the whole sequence it is the context vector.
    Random Gaussian probes v from a fixed seed: E |v^T J|^2 is the squared Frobenius norm of J (Hutchinson 1990). Each curve
    is divided by its value at lag 0, where J of the full state of one layer is the identity; over sequences the mean is
    geometric, because norms multiply along time (Pascanu, Mikolov and Bengio 2013). States are taken in the cell's own
    coordinates, with what a layer hands up to others at the same time step.

    inputs (T, B, I) and layout as from `sequences_for`; `between` as in `in_portions`. Raises ValueError when states or
    gradients overflow.
    """
    random = torch.Generator().manual_seed(0)
    norms = in_portions(
        model, inputs, lambda part: _norms(model, inputs[:, part], layout.part(part), chain, random), between
    )
    lags = lags_of(layout, chain, len(inputs))
    if not np.isfinite(norms[lags >= 0]).all():
        raise ValueError("its states or their gradients overflow on these sequences, so nothing can be measured")
    curves = by_lag(norms, lags)
    return Reach.from_sequences("state_jacobian", curves / curves[0])


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
                parts = [0, *(1 + cell.states.index(part) for part in cell.handed_up)]
                working = torch.from_numpy(network.active(name, layout, len(inputs)))
                squares += torch.where(working, norms[..., parts].square().sum(-1).cpu(), 0)  # waits for the device
    return (squares / PROBES).sqrt().numpy()
