"""The gated recurrent unit as first published, with the reset before the matrix product (Cho et al. 2014)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import linear

from rnnscope.core.cells.cell import Values
from rnnscope.core.cells.gru import GRU
from rnnscope.core.settings import Settings


class ChoGRU(GRU):
    """Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014 (arXiv 1406.1078, version 3).

        r, z = sigmoid(W x_t + U h_(t-1) + b)
        n = tanh(W_n x_t + b_n + U_n (r h_(t-1)))
        h_t = (1 - z) n + z h_(t-1),   h_0 = 0

    z KEEPS, as in the GRU; r acts on h before the product with U_n, which therefore happens inside `update`: not pointwise.
    `weight_candidate` is U_n, (H, H). Where r = 1 this is the GRU without b_hn.
    """

    name = "GRU, reset before"
    gates = {"candidate_input": "x", "reset": "xh", "update": "xh"}
    pointwise = False

    def __init__(self, inputs: int, units: int, settings: Settings | None = None):
        super().__init__(inputs, units, settings)
        self.weight_candidate = nn.Parameter(torch.empty(units, units))

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """h = (1 - z) n + z h, with n from the reset state."""
        h = state["hidden"]
        r, z = torch.sigmoid(gates["reset"]), torch.sigmoid(gates["update"])
        n = torch.tanh(gates["candidate_input"] + linear(r * h, self.weight_candidate))
        signals = {"reset_gate": r, "update_gate": z, "candidate": n, "update_preactivation": gates["update"]}
        return {"hidden": n + z * (h - n)}, signals
