"""The scalar LSTM with exponential gates (Beck et al. 2024)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import logsigmoid

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.cells.rda import log_odds_kept
from rnnscope.core.trace import Signal


class SLSTM(Cell):
    """Beck et al., xLSTM: Extended long short-term memory, arXiv 2405.04517 (2024); one head, without its block.

        a, a_f, a_g, a_o = W x_t + U h_(t-1) + b     g = tanh(a_g)     f, o = sigmoid(a_f), sigmoid(a_o)
        m'  = max(m + ln f, a)
        c_t = c_(t-1) e^(m + ln f - m') + g e^(a - m')
        n_t = n_(t-1) e^(m + ln f - m') +   e^(a - m')
        h_t = o c_t / n_t,   h_0 = c_0 = n_0 = 0,  m = -1e38

    The input gate is exp(a), and m, the running maximum, changes no value: the pair of sums of the RDA with an output gate.
    Moment i weighs softmax over i <= t of (a_i - F_i) in c_t / n_t, where F_i is the sum of ln f up to i.
    """

    name = "sLSTM"
    gates = {"input": "xh", "forget": "xh", "candidate": "xh", "output": "xh"}
    states = ("hidden", "cell", "normaliser", "running_maximum")
    signals = {
        "input_logit": Signal("a", "logit of the input gate", gate=True),
        "newest_weight": Signal("α", "weight of the newest moment", 0, 1, gate=True),
        "forget_gate": Signal("f", "forget gate", 0, 1, gate=True),
        "output_gate": Signal("o", "output gate", 0, 1, gate=True),
        "candidate": Signal("g", "candidate", -1, 1, gate=True),
        "cell": Signal("c", "cell state"),
        "normaliser": Signal("n", "normaliser", 0),
        "running_maximum": Signal("m", "running maximum of the discounted logits"),
        "log_mass": Signal("ln N", "log of the total weight"),
        "average": Signal("c/n", "weighted average", -1, 1),
        "hidden": Signal("h", "hidden state", -1, 1),
        "forget_preactivation": Signal("a_f", "forget preactivation"),
        "retention": Signal("1-α", "share kept", 0, 1),
        "log_retention": Signal("ln (1-α)", "log of the share kept", None, 0),
        "log_write": Signal("ln α", "log of the share written", None, 0),
    }

    def initialise(self, generator: torch.Generator) -> None:
        """The authors' choice: W small and normal, no recurrent weights, forget biases from 5 to -7 by a power law.

        W ~ N(0, 2 / (5 I)); b_f = 5 - 12 (k / (H - 1))^0.3 for unit k, that of a first block; other biases 0.
        """
        nn.init.normal_(self.weight_x, std=(2 / (5 * self.inputs)) ** 0.5, generator=generator)
        nn.init.zeros_(self.weight_h)
        nn.init.zeros_(self.bias)
        k = torch.arange(self.units) / max(self.units - 1, 1)
        with torch.no_grad():
            self.bias[self.gate_rows("forget", "bias")] = 5 - 12 * k**0.3

    def initial_state(self, batch: int) -> Values:
        """Empty sums."""
        state = super().initial_state(batch)
        return state | {"running_maximum": state["running_maximum"] - 1e38}

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """The authors' stabilised update."""
        a, a_f, o = gates["input"], gates["forget"], torch.sigmoid(gates["output"])
        g = torch.tanh(gates["candidate"])
        discounted = state["running_maximum"] + logsigmoid(a_f)
        maximum = torch.maximum(discounted, a)
        keep, weight = torch.exp(discounted - maximum), torch.exp(a - maximum)
        c = state["cell"] * keep + g * weight
        n = state["normaliser"] * keep + weight
        average = c / n
        new = {"hidden": o * average, "cell": c, "normaliser": n, "running_maximum": maximum}
        signals = {"input_logit": a, "forget_gate": torch.sigmoid(a_f), "output_gate": o, "candidate": g}
        return new, signals | {"average": average, "forget_preactivation": a_f}

    def derived(self, signals: Values, before: Values) -> Values:
        """Weights of the newest moment and of all before it, each from their odds: neither rounds the other away."""
        log_f = logsigmoid(signals["forget_preactivation"])
        odds = log_odds_kept(before["running_maximum"], before["normaliser"], signals["input_logit"], log_f)
        return {
            "log_mass": signals["running_maximum"] + torch.log(signals["normaliser"]),
            "newest_weight": torch.sigmoid(-odds),
            "retention": torch.sigmoid(odds),
            "log_retention": logsigmoid(odds),
            "log_write": logsigmoid(-odds),
        }

    def coordinates(self, state: Values) -> Values:
        """(c / n, m + ln n, h): c and n only share a scale, and o stands between c / n and h."""
        c, n = state["cell"], state["normaliser"]
        return {"average": c / n, "log_mass": state["running_maximum"] + torch.log(n), "hidden": state["hidden"]}

    def displaced(self, state: Values, by: Values) -> Values:
        """Both sums and h, at the running maximum of `state`."""
        n = state["normaliser"] * torch.exp(by["log_mass"])
        return {
            "hidden": state["hidden"] + by["hidden"],
            "cell": (state["cell"] / state["normaliser"] + by["average"]) * n,
            "normaliser": n,
            "running_maximum": state["running_maximum"],
        }
