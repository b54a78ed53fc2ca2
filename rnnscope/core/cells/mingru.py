"""The minimal GRU, whose gate sees the input alone (Feng et al. 2024)."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.functional import logsigmoid

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.trace import Signal


class MinGRU(Cell):
    """Feng et al., Were RNNs all we needed?, arXiv 2410.01201 (2024), with the positive candidate of its appendix.

        z = sigmoid(W_z x_t + b_z)     a = W_n x_t + b_n     n = a + 1/2 if a >= 0 else sigmoid(a)
        h_t = (1 - z) h_(t-1) + z n,   h_0 = 0

    Here z WRITES; it keeps in the GRU. Nothing but this average depends on h_(t-1): there is no W_h, and the Jacobian per
    time step is diag(1 - z).
    """

    name = "minGRU"
    gates = {"candidate": "x", "update": "x"}
    states = ("hidden",)
    signals = {
        "update_gate": Signal("z", "update gate (writes)", 0, 1, gate=True),
        "candidate": Signal("n", "candidate", 0, gate=True),
        "hidden": Signal("h", "hidden state", 0),
        "update_preactivation": Signal("a_z", "update preactivation"),
        "write": Signal("z n", "written to the state", 0),
        "log_retention": Signal("ln (1-z)", "log of the share kept", None, 0),
        "log_write": Signal("ln z", "log of the share written", None, 0),
        "timescale": Signal("τ", "time scale -1/ln (1-z) in time steps", 0),
    }

    def initialise(self, generator: torch.Generator) -> None:
        """Weights and biases from U(-1/sqrt(I), 1/sqrt(I)), as torch.nn.Linear, of which the authors build it."""
        bound = 1 / math.sqrt(self.inputs)
        for parameter in (self.weight_x, self.bias):
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """h = (1 - z) h + z n."""
        a, z = gates["candidate"], torch.sigmoid(gates["update"])
        n = torch.where(a >= 0, a + 0.5, torch.sigmoid(a))
        h = state["hidden"]
        signals = {"update_gate": z, "candidate": n, "update_preactivation": gates["update"]}
        return {"hidden": h + z * (n - h)}, signals

    def derived(self, signals: Values, before: Values) -> Values:
        """Both logs come from the preactivation, so that a saturated z keeps its distance from 0 and 1."""
        a = signals["update_preactivation"]
        log_kept = logsigmoid(-a)
        return {
            "write": signals["update_gate"] * signals["candidate"],
            "log_retention": log_kept,
            "log_write": logsigmoid(a),
            "timescale": 1 / log_kept.abs(),
        }
