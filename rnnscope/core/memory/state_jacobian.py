"""How far back a state still depends on an earlier one: the norm of d s_T / d s_(T-k)."""

from __future__ import annotations

import numpy as np
import torch

from rnnscope.core.engines import ENGINES
from rnnscope.core.memory.portions import Between, in_portions, nothing
from rnnscope.core.model import Model
from rnnscope.core.reach import Reach
from rnnscope.core.recording import in_coordinates, squared_norm
from rnnscope.core.sequences import sequences_for

PROBES = 8


def state_jacobian(model: Model, inputs, lengths=None, between: Between = nothing) -> Reach:
    """Norm of the Jacobian of the last full state with respect to the full state k time steps before.

    Random Gaussian probes v from a fixed seed: E |v^T J|^2 is the squared Frobenius norm of J (Hutchinson 1990). Each curve
    is divided by its value at lag 0, where J is the identity; over sequences the mean is geometric, because norms multiply
    along time (Pascanu, Mikolov and Bengio 2013). States are taken in the cell's own coordinates.

    inputs (T, B, I) and lengths (B,) as in `sequences_for`; `between` as in `in_portions`. Raises ValueError when states or
    gradients overflow.
    """
    random = torch.Generator().manual_seed(0)
    inputs, lengths, within = sequences_for(model, inputs, lengths)
    norms = in_portions(model, inputs, lambda part: _norms(model, inputs[:, part], lengths[part], random), between)
    curves = by_lag(norms / norms[lengths - 1, np.arange(len(lengths))], lengths)
    if not np.isfinite(curves[by_lag(within.cpu().numpy(), lengths) == 1]).all():
        raise ValueError("its states or their gradients overflow on these sequences, so nothing can be measured")
    return Reach.from_sequences("state_jacobian", curves)


def _norms(model: Model, inputs: torch.Tensor, lengths: np.ndarray, random: torch.Generator) -> np.ndarray:
    """Root mean square over probes of |v^T d s_T / d s_t|, for every time step t: (T, B)."""
    cell = model.cell
    steps, batch = inputs.shape[:2]
    taps = {name: inputs.new_zeros(steps, batch, cell.units).requires_grad_() for name in cell.states}
    last, each = torch.as_tensor(lengths - 1), torch.arange(batch)
    squares = torch.zeros(steps, batch, dtype=torch.float64)
    with torch.enable_grad():
        run = ENGINES["reference"](cell, inputs, taps=taps)
        end = cell.coordinates({name: value[last, each] for name, value in run.states.items()})
        states = {name: value.detach() for name, value in run.states.items()}
        ends, leaves = list(end.values()), list(taps.values())
        for _ in range(PROBES):
            probes = [torch.randn(value.shape, generator=random).to(value) for value in ends]
            raw = torch.autograd.grad(ends, leaves, probes, retain_graph=True, materialize_grads=True)
            pulled = in_coordinates(cell, states, dict(zip(taps, raw, strict=True)))
            squares += squared_norm(pulled.values()).cpu()  # waits for the device
    return (squares / PROBES).sqrt().numpy()


def by_lag(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Turn (T, B) over time steps into (K, B) over lags from each sequence's last time step; NaN where none is."""
    lags = np.arange(lengths.max())[:, None]
    t = lengths - 1 - lags
    found = np.take_along_axis(values, np.maximum(t, 0), axis=0)
    return np.where(t >= 0, found, np.nan)
