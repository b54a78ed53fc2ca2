"""The LSTM of 1997, without a forget gate (Hochreiter and Schmidhuber 1997)."""

from __future__ import annotations

import torch
from torch.nn.functional import logsigmoid

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.trace import Signal


class LSTM1997(Cell):
    """Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 9 (1997).

        i, o = sigmoid(W x_t + U h_(t-1) + b)     g = tanh(W x_t + U h_(t-1) + b)
        c_t = c_(t-1) + i g
        h_t = o tanh(c_t),   h_0 = c_0 = 0

    The LSTM with f = 1: the constant error carousel, which forgets nothing. One cell per block; both squashing functions
    are tanh, as in every later LSTM, where the paper takes 4 sigmoid - 2 for g and 2 sigmoid - 1 for c. Its truncated
    gradient is a way to train, not a part of the cell: here gradients are full.
    """

    name = "LSTM 1997"
    gates = {"input": "xh", "candidate": "xh", "output": "xh"}
    states = ("hidden", "cell")
    signals = {
        "input_gate": Signal("i", "input gate", 0, 1, gate=True),
        "output_gate": Signal("o", "output gate", 0, 1, gate=True),
        "candidate": Signal("g", "candidate", -1, 1, gate=True),
        "write": Signal("i g", "written to the cell", -1, 1),
        "cell": Signal("c", "cell state"),
        "squashed_cell": Signal("tanh c", "squashed cell state", -1, 1),
        "hidden": Signal("h", "hidden state", -1, 1),
        "input_preactivation": Signal("a_i", "input preactivation"),
        "log_retention": Signal("ln 1", "log of the share kept", None, 0),
        "log_write": Signal("ln i", "log of the share written", None, 0),
    }

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """c = c + i g;  h = o tanh(c)."""
        i, o = torch.sigmoid(gates["input"]), torch.sigmoid(gates["output"])
        g = torch.tanh(gates["candidate"])
        cell = state["cell"] + i * g
        squashed = torch.tanh(cell)
        signals = {"input_gate": i, "output_gate": o, "candidate": g, "squashed_cell": squashed}
        return {"hidden": o * squashed, "cell": cell}, signals | {"input_preactivation": gates["input"]}

    def derived(self, signals: Values, before: Values) -> Values:
        """All of the cell is kept, always: there is no time scale to speak of."""
        return {
            "write": signals["input_gate"] * signals["candidate"],
            "log_retention": torch.zeros_like(signals["cell"]),
            "log_write": logsigmoid(signals["input_preactivation"]),
        }
