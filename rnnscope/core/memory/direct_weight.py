"""The share of an old memory that the gates themselves let through."""

from __future__ import annotations

import numpy as np
import torch

from rnnscope.core.attention import retention_logs
from rnnscope.core.engines import ENGINES
from rnnscope.core.memory.portions import Between, in_portions, nothing
from rnnscope.core.memory.state_jacobian import by_lag
from rnnscope.core.model import Model
from rnnscope.core.reach import Reach
from rnnscope.core.sequences import sequences_for


def direct_weight(model: Model, inputs, lengths=None, between: Between = nothing) -> Reach | None:
    """Share of the memory at T-k that is left at T on the direct path, averaged over units; None for a cell without gates.

    LSTM: product of the forget gates since. GRU: product of the update gates. RWA: the attention that still lies on the
    moments up to T-k, which is D_(T-k) / D_T and the derivative of the average on its direct path. All exact.
    inputs (T, B, I) and lengths (B,) as in `sequences_for`; `between` as in `in_portions`.
    """
    if "log_retention" not in model.cell.signals:
        return None
    inputs, lengths, _ = sequences_for(model, inputs, lengths)
    left = in_portions(model, inputs, lambda part: _left(model, inputs[:, part], lengths[part]), between)
    return Reach.from_sequences("direct_weight", by_lag(left, lengths))


def _left(model: Model, inputs: torch.Tensor, lengths: np.ndarray) -> np.ndarray:
    """Share of the memory at each time step that is left at the end of its sequence: (T, B)."""
    with torch.no_grad():
        signals = ENGINES["reference"](model.cell, inputs, record=True).signals
    logs = signals["log_retention"].cpu().double().numpy()  # waits for the device
    logs[np.arange(len(logs))[:, None] >= lengths] = 0  # behind a sequence's end nothing is forgotten
    return np.exp(retention_logs(logs)).mean(-1)
