"""Sequences as a model can read them: checked, on its device, in its precision, with nothing behind their ends."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rnnscope.core.model import Model


def sequences_for(model: Model, inputs, lengths=None) -> tuple[Tensor, np.ndarray, Tensor]:
    """Inputs (T, B, I), lengths (B,), and where a time step lies within its sequence (T, B).

    inputs   (T, B, I), or one sequence (T, I); array or tensor. What lies behind a sequence's end becomes 0
    lengths  (B,) time steps of each sequence, T by default
    Raises ValueError that names the argument whose shape does not fit.
    """
    weight = model.cell.weight_x
    inputs = as_tensor(inputs).detach().to(weight.device, weight.dtype)
    if inputs.ndim == 2:
        inputs = inputs[:, None]
    if inputs.ndim != 3 or inputs.shape[2] != model.cell.inputs or 0 in inputs.shape:
        raise ValueError(
            f"inputs: expected (time steps, sequences, {model.cell.inputs}), none of them 0; got {tuple(inputs.shape)}"
        )
    steps, batch = inputs.shape[:2]
    lengths = np.full(batch, steps) if lengths is None else np.array(lengths)
    if lengths.shape != (batch,) or lengths.min() < 1 or lengths.max() > steps:
        raise ValueError(f"lengths: expected {batch} numbers from 1 to {steps}; got {lengths.tolist()!r:.80}")
    within = torch.from_numpy(np.arange(steps)[:, None] < lengths).to(weight.device)
    return torch.where(within[..., None], inputs, 0), lengths, within


def as_tensor(values) -> Tensor:
    """A tensor as it is, anything else copied: arrays may be read-only."""
    return values if isinstance(values, Tensor) else torch.tensor(np.asarray(values))
