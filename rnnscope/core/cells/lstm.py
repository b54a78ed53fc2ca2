"""The LSTM with a forget gate (Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000)."""

from __future__ import annotations

import torch
from pydantic import field_validator
from torch.nn.functional import logsigmoid

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.settings import Settings, SettingsError, setting
from rnnscope.core.trace import Signal


class LSTM(Cell):
    """Gers, Schmidhuber and Cummins, Learning to forget, Neural Computation 12 (2000).

        i, f, o = sigmoid(W x_t + U h_(t-1) + b)     g = tanh(W x_t + U h_(t-1) + b)
        c_t = f c_(t-1) + i g
        h_t = o tanh(c_t),   h_0 = c_0 = 0

    Rows in the order i, f, g, o; equal to torch.nn.LSTM with b = b_ih + b_hh.
    """

    name = "LSTM"
    gates = {"input": "xh", "forget": "xh", "candidate": "xh", "output": "xh"}
    states = ("hidden", "cell")

    class Settings(Settings):
        """Options of the LSTM."""

        forget_bias: float = setting(
            1.0, "added to the forget gate's bias when the weights are drawn", low=-20, high=20, symbol="b_f"
        )
        chrono: int = setting(
            0,
            "longest memory to start with; draws the biases of i and f, in place of forget_bias; 0 is off",
            low=0,
            high=1_000_000,
            symbol="T_max",
            unit="time steps",
        )

        @field_validator("chrono")
        @classmethod
        def _no_memory_of_one(cls, chrono: int) -> int:
            if chrono == 1:
                raise SettingsError("chrono: expected 0 for off, or at least 2; got 1")
            return chrono

    signals = {
        "input_gate": Signal("i", "input gate", 0, 1, gate=True),
        "forget_gate": Signal("f", "forget gate", 0, 1, gate=True),
        "output_gate": Signal("o", "output gate", 0, 1, gate=True),
        "candidate": Signal("g", "candidate", -1, 1, gate=True),
        "write": Signal("i g", "written to the cell", -1, 1),
        "cell": Signal("c", "cell state"),
        "squashed_cell": Signal("tanh c", "squashed cell state", -1, 1),
        "hidden": Signal("h", "hidden state", -1, 1),
        "forget_preactivation": Signal("a_f", "forget preactivation"),
        "log_retention": Signal("ln f", "log of the share kept", None, 0),
        "log_write": Signal("ln i", "log of the share written", None, 0),
        "timescale": Signal("τ", "time scale -1/ln f in time steps", 0),
    }

    def initialise(self, generator: torch.Generator) -> None:
        """As torch, then add `forget_bias` to the one bias of the forget gate (Jozefowicz et al. 2015).

        With `chrono`, b_f = ln U(1, T_max - 1) and b_i = -b_f instead: without input a unit then forgets 1 / (1 + U) of its
        cell at a time step (Tallec and Ollivier, Can recurrent neural networks warp time?, ICLR 2018).
        """
        super().initialise(generator)
        forget, written = self.gate_rows("forget", "bias"), self.gate_rows("input", "bias")
        with torch.no_grad():
            if self.settings.chrono:
                self.bias[forget] = self.bias[forget].uniform_(1, self.settings.chrono - 1, generator=generator).log()
                self.bias[written] = -self.bias[forget]
            else:
                self.bias[forget] += self.settings.forget_bias

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """c = f c + i g;  h = o tanh(c)."""
        i, f, o = (torch.sigmoid(gates[gate]) for gate in ("input", "forget", "output"))
        g = torch.tanh(gates["candidate"])
        cell = f * state["cell"] + i * g
        squashed = torch.tanh(cell)
        signals = {"input_gate": i, "forget_gate": f, "output_gate": o, "candidate": g, "squashed_cell": squashed}
        return {"hidden": o * squashed, "cell": cell}, signals | {"forget_preactivation": gates["forget"]}

    def derived(self, signals: Values, before: Values) -> Values:
        """ln f is taken from the preactivation: a float32 f near 1 would round its distance from 1 away."""
        log_f = logsigmoid(signals["forget_preactivation"])
        return {
            "write": signals["input_gate"] * signals["candidate"],
            "log_retention": log_f,
            "log_write": torch.log(signals["input_gate"]),
            "timescale": 1 / log_f.abs(),  # of 0 the inverse is +inf, not -inf
        }
