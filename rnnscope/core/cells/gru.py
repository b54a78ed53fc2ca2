"""The gated recurrent unit (Cho et al. 2014) in torch's convention."""

from __future__ import annotations

import torch
from torch.nn.functional import logsigmoid

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.trace import Signal


class GRU(Cell):
    """Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014.

        r, z = sigmoid(W x_t + U h_(t-1) + b)
        n = tanh(W_n x_t + b_n + r (U_n h_(t-1) + b_hn))
        h_t = (1 - z) n + z h_(t-1),   h_0 = 0

    Here z KEEPS (as in torch and Keras; in Chung et al. 2014 it writes), and r acts after the product (reset after).
    Equal to torch.nn.GRU with b = b_ih + b_hh for r and z.
    """

    name = "GRU"
    gates = {"candidate_input": "x", "reset": "xh", "update": "xh", "candidate_hidden": "h"}
    states = ("hidden",)
    signals = {
        "reset_gate": Signal("r", "reset gate", 0, 1, gate=True),
        "update_gate": Signal("z", "update gate (keeps)", 0, 1, gate=True),
        "candidate": Signal("n", "candidate", -1, 1, gate=True),
        "hidden": Signal("h", "hidden state", -1, 1),
        "update_preactivation": Signal("a_z", "update preactivation"),
        "write": Signal("(1-z) n", "written to the state", -1, 1),
        "log_retention": Signal("ln z", "log of the share kept", None, 0),
        "log_write": Signal("ln (1-z)", "log of the share written", None, 0),
        "timescale": Signal("τ", "time scale -1/ln z in time steps", 0),
    }

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """h = (1 - z) n + z h."""
        r, z = torch.sigmoid(gates["reset"]), torch.sigmoid(gates["update"])
        n = torch.tanh(gates["candidate_input"] + r * gates["candidate_hidden"])
        signals = {"reset_gate": r, "update_gate": z, "candidate": n, "update_preactivation": gates["update"]}
        return {"hidden": n + z * (state["hidden"] - n)}, signals

    def derived(self, signals: Values, before: Values) -> Values:
        """Both logs come from the preactivation, so that a saturated z keeps its distance from 0 and 1."""
        a = signals["update_preactivation"]
        return {
            "write": (1 - signals["update_gate"]) * signals["candidate"],
            "log_retention": logsigmoid(a),
            "log_write": logsigmoid(-a),
            "timescale": 1 / logsigmoid(a).abs(),  # of 0 the inverse is +inf, not -inf
        }
