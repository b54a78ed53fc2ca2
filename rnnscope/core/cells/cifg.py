"""The LSTM whose input and forget gates are one (Greff et al. 2015)."""

from __future__ import annotations

import torch
from torch.nn.functional import logsigmoid

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.settings import Settings, setting
from rnnscope.core.trace import Signal


class CoupledLSTM(Cell):
    """Greff et al., LSTM: A search space odyssey, arXiv 1503.04069 (2015): coupled input and forget gate, CIFG.

        i, o = sigmoid(W x_t + U h_(t-1) + b)     g = tanh(W x_t + U h_(t-1) + b)
        f = 1 - i
        c_t = f c_(t-1) + i g
        h_t = o tanh(c_t),   h_0 = c_0 = 0

    The cell is a convex combination of its candidates, as the GRU's state is; without peepholes.
    """

    name = "coupled LSTM"
    gates = {"input": "xh", "candidate": "xh", "output": "xh"}
    states = ("hidden", "cell")

    class Settings(Settings):
        """Options of the coupled LSTM."""

        forget_bias: float = setting(
            1.0,
            "taken from the input gate's bias when the weights are drawn, so that f opens",
            low=-20,
            high=20,
            symbol="b_f",
        )

    signals = {
        "input_gate": Signal("i", "input gate", 0, 1, gate=True),
        "forget_gate": Signal("1-i", "forget gate", 0, 1, gate=True),
        "output_gate": Signal("o", "output gate", 0, 1, gate=True),
        "candidate": Signal("g", "candidate", -1, 1, gate=True),
        "write": Signal("i g", "written to the cell", -1, 1),
        "cell": Signal("c", "cell state", -1, 1),
        "squashed_cell": Signal("tanh c", "squashed cell state", -1, 1),
        "hidden": Signal("h", "hidden state", -1, 1),
        "input_preactivation": Signal("a_i", "input preactivation"),
        "log_retention": Signal("ln (1-i)", "log of the share kept", None, 0),
        "log_write": Signal("ln i", "log of the share written", None, 0),
        "timescale": Signal("τ", "time scale -1/ln (1-i) in time steps", 0),
    }

    def initialise(self, generator: torch.Generator) -> None:
        """As torch, then f = sigmoid(-a_i) gets `forget_bias` by taking it from the bias of i."""
        super().initialise(generator)
        with torch.no_grad():
            self.bias[self.gate_rows("input", "bias")] -= self.settings.forget_bias

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """c = (1 - i) c + i g, written so that rounding cannot leave -1..1;  h = o tanh(c)."""
        i, o = torch.sigmoid(gates["input"]), torch.sigmoid(gates["output"])
        g = torch.tanh(gates["candidate"])
        cell = state["cell"] + i * (g - state["cell"])
        squashed = torch.tanh(cell)
        signals = {"input_gate": i, "output_gate": o, "candidate": g, "squashed_cell": squashed}
        return {"hidden": o * squashed, "cell": cell}, signals | {"input_preactivation": gates["input"]}

    def derived(self, signals: Values, before: Values) -> Values:
        """All of f comes from the preactivation, so that a saturated i keeps its distance from 0 and 1."""
        a = signals["input_preactivation"]
        log_f = logsigmoid(-a)
        return {
            "forget_gate": torch.sigmoid(-a),
            "write": signals["input_gate"] * signals["candidate"],
            "log_retention": log_f,
            "log_write": logsigmoid(a),
            "timescale": 1 / log_f.abs(),
        }
