"""The grid LSTM in two dimensions: cells along time and cells along depth (Kalchbrenner et al. 2015)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import linear

from rnnscope.core.cells.cell import Values
from rnnscope.core.cells.lstm import LSTM
from rnnscope.core.settings import Settings
from rnnscope.core.trace import Signal


class GridLSTM(LSTM):
    """Kalchbrenner, Danihelka and Graves, Grid long short-term memory, arXiv 1507.01526 (2015): time and depth.

        along time:   i, f, o = sigmoid(W x_t + U h_(t-1) + b)     g = tanh(W x_t + U h_(t-1) + b)
                      c_t = f c_(t-1) + i g                        h_t = o tanh(c_t),   h_0 = c_0 = 0
        along depth:  i, f, o = sigmoid(W' x_t + V h_t + b')       g = tanh(W' x_t + V h_t + b')
                      c'_t = f l_t + i g                           h'_t = o tanh(c'_t)

    x_t is what the layer below hands up along depth (its h'), l_t the memory that comes with it (its c'); the layer above
    and the readout get h' and c'. Depth has priority: it sees the new h_t. Rows of all weights in the order i, f, g, o;
    V is `weight_depth`, (4 H, H), and stands inside `update`: not pointwise. Weights are not tied along depth.
    Only h and c reach the next time step: they alone are the memory that is measured, and the gradient with respect to them
    leaves out what the same time step hands up. Retention and time scale are those of c, along time.
    """

    name = "grid LSTM"
    gates = {"depth_input": "x", "depth_forget": "x", "depth_candidate": "x", "depth_output": "x"} | LSTM.gates
    states = ("hidden", "cell", "depth_hidden", "depth_cell")
    pointwise = False
    output = "depth_hidden"
    lower = ("depth_cell",)
    handed_up = ("depth_hidden", "depth_cell")
    signals = LSTM.signals | {
        "depth_input_gate": Signal("i'", "input gate along depth", 0, 1, gate=True),
        "depth_forget_gate": Signal("f'", "forget gate along depth", 0, 1, gate=True),
        "depth_output_gate": Signal("o'", "output gate along depth", 0, 1, gate=True),
        "depth_candidate": Signal("g'", "candidate along depth", -1, 1, gate=True),
        "entering_cell": Signal("l", "memory that comes from below"),
        "depth_cell": Signal("c'", "cell state along depth"),
        "depth_squashed_cell": Signal("tanh c'", "squashed cell state along depth", -1, 1),
        "depth_hidden": Signal("h'", "hidden state along depth", -1, 1),
        "depth_forget_preactivation": Signal("a_f'", "forget preactivation along depth"),
    }

    def __init__(self, inputs: int, units: int, settings: Settings | None = None):
        super().__init__(inputs, units, settings)
        self.weight_depth = nn.Parameter(torch.empty(4 * units, units))

    def initialise(self, generator: torch.Generator) -> None:
        """Along time as the LSTM; along depth `forget_bias` is added whatever `chrono` says."""
        super().initialise(generator)
        with torch.no_grad():
            self.bias[self.gate_rows("depth_forget", "bias")] += self.settings.forget_bias

    def coordinates(self, state: Values) -> Values:
        """(h, c): what reaches the next time step."""
        return {name: state[name] for name in ("hidden", "cell")}

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """The LSTM along time, then the LSTM along depth on its new h."""
        below = state["lower_depth_cell"]
        along_time, signals = super().update(gates, state)
        seen = linear(along_time["hidden"], self.weight_depth).split(self.units, -1)
        fed = {gate: gates[f"depth_{gate}"] + part for gate, part in zip(LSTM.gates, seen, strict=True)}
        along_depth, of_depth = super().update(fed, {"cell": below})
        new = along_time | {f"depth_{name}": value for name, value in along_depth.items()}
        return new, signals | {f"depth_{name}": value for name, value in of_depth.items()} | {"entering_cell": below}


class LowestGridLSTM(GridLSTM):
    """The lowest layer of a grid: its input is projected to the memory that enters along depth.

        l_t = W_l x_t + b_l,   all else as above

    The paper projects the input to the hidden vector that enters as well; both W read x_t directly here, which includes it.
    """

    name = "grid LSTM, lowest layer"
    gates = {"memory": "x"} | GridLSTM.gates
    lower = ()

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """The grid LSTM with its own l."""
        return super().update(gates, state | {"lower_depth_cell": gates["memory"]})


GridLSTM.lowest = LowestGridLSTM
