"""The LSTM with peepholes: gates that see the cell (Gers and Schmidhuber 2000)."""

from __future__ import annotations

import torch

from rnnscope.core.cells.cell import Values
from rnnscope.core.cells.lstm import LSTM
from rnnscope.core.trace import Signal


class PeepholeLSTM(LSTM):
    """Gers and Schmidhuber, Recurrent nets that time and count, IJCNN 2000; the "vanilla LSTM" of Greff et al. 2015.

        i, f = sigmoid(W x_t + U h_(t-1) + b + p c_(t-1))     g = tanh(W x_t + U h_(t-1) + b)
        c_t = f c_(t-1) + i g
        o = sigmoid(W x_t + U h_(t-1) + b + p c_t)
        h_t = o tanh(c_t),   h_0 = c_0 = 0

    Each peephole p is a vector, one weight per unit: i and f look at the old cell, o at the new one. The LSTM if p = 0.
    Drawn like all other weights; `forget_bias` and `chrono` as in the LSTM.
    """

    name = "peephole LSTM"
    gates = LSTM.gates | {"input_peephole": "", "forget_peephole": "", "output_peephole": ""}
    signals = LSTM.signals | {
        "input_peep": Signal("p_i c", "what the input gate sees of the cell"),
        "forget_peep": Signal("p_f c", "what the forget gate sees of the cell"),
        "output_peep": Signal("p_o c", "what the output gate sees of the cell"),
    }

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """c = f c + i g;  h = o tanh(c), with i and f before the new cell and o after it."""
        old = state["cell"]
        see_i, see_f = gates["input_peephole"] * old, gates["forget_peephole"] * old
        a_f = gates["forget"] + see_f
        i, f, g = torch.sigmoid(gates["input"] + see_i), torch.sigmoid(a_f), torch.tanh(gates["candidate"])
        cell = f * old + i * g
        see_o = gates["output_peephole"] * cell
        o = torch.sigmoid(gates["output"] + see_o)
        squashed = torch.tanh(cell)
        signals = {"input_gate": i, "forget_gate": f, "output_gate": o, "candidate": g, "squashed_cell": squashed}
        peeps = {"input_peep": see_i, "forget_peep": see_f, "output_peep": see_o}
        return {"hidden": o * squashed, "cell": cell}, signals | peeps | {"forget_preactivation": a_f}
