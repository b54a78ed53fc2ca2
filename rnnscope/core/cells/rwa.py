"""The recurrent weighted average (Ostmeyer and Cowell 2017)."""

from __future__ import annotations

import math

import torch
from torch import nn

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.settings import Settings
from rnnscope.core.trace import Signal


class RWA(Cell):
    """Ostmeyer and Cowell, Machine learning on sequential data using a recurrent weighted average, arXiv 1703.01253.

        u = W_u x_t + b_u     g = W_g [x_t, h_(t-1)] + b_g     a = W_a [x_t, h_(t-1)]     z = u tanh(g)
        a_max' = max(a_max, a)
        n' = n e^(a_max - a_max') + z e^(a - a_max')
        d' = d e^(a_max - a_max') +   e^(a - a_max')
        h' = tanh(n' / d'),   n_0 = d_0 = 0,  a_max = -1e38,  h_0 = tanh(s), s learned

    The running maximum changes no value and keeps every exponential at most 1. The logit has no bias: it would cancel.
    Moment i weighs exp(a_i - a_max_t) / d_t at time t, which is softmax over i <= t of the logits.
    """

    name = "RWA"
    gates = {"input_value": "x", "gate": "xh", "attention_logit": "xh"}
    unbiased = frozenset({"attention_logit"})
    states = ("hidden", "numerator", "denominator", "running_maximum")
    signals = {
        "attention_logit": Signal("a", "attention logit", gate=True),
        "newest_weight": Signal("α", "weight of the newest moment", 0, 1, gate=True),
        "squashed_gate": Signal("tanh g", "gate", -1, 1, gate=True),
        "value": Signal("z", "gated value", gate=True),
        "input_value": Signal("u", "input value"),
        "gate": Signal("g", "gate preactivation"),
        "numerator": Signal("n", "numerator"),
        "denominator": Signal("d", "denominator", 0),
        "running_maximum": Signal("a_max", "running maximum of the logits"),
        "log_mass": Signal("ln D", "log of the total attention mass"),
        "average": Signal("n/d", "weighted average"),
        "retention": Signal("1-α", "share kept", 0, 1),
        "log_retention": Signal("ln (1-α)", "log of the share kept", None, 0),
        "log_write": Signal("ln α", "log of the share written", None, 0),
        "hidden": Signal("h", "hidden state", -1, 1),
    }

    def __init__(self, inputs: int, units: int, settings: Settings | None = None):
        super().__init__(inputs, units, settings)
        self.start = nn.Parameter(torch.empty(units))

    def initialise(self, generator: torch.Generator) -> None:
        """The authors' choice: s ~ N(0, 1), Glorot uniform weights per matrix, no bias."""
        for gate, source in self.gates.items():
            fan = self.inputs + self.units * (2 if source == "xh" else 1)
            bound = math.sqrt(6 / fan)
            for letter, weight in (("x", self.weight_x), ("h", self.weight_h)):
                if letter in source:
                    nn.init.uniform_(weight[self.gate_rows(gate, letter)], -bound, bound, generator=generator)
        nn.init.zeros_(self.bias)
        nn.init.normal_(self.start, generator=generator)

    def initial_state(self, batch: int) -> Values:
        """Empty sums, and the learned h_0 = tanh(s) for every sequence."""
        zero = self.start.new_zeros(batch, self.units)
        return {
            "hidden": torch.tanh(self.start).expand(batch, -1),
            "numerator": zero,
            "denominator": zero,
            "running_maximum": self.start.new_full((batch, self.units), -1e38),
        }

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """The authors' update with the running maximum."""
        u, g, a = gates["input_value"], gates["gate"], gates["attention_logit"]
        maximum = torch.maximum(state["running_maximum"], a)
        keep, weight = torch.exp(state["running_maximum"] - maximum), torch.exp(a - maximum)
        squashed = torch.tanh(g)
        value = u * squashed
        n = state["numerator"] * keep + value * weight
        d = state["denominator"] * keep + weight
        average = n / d
        new = {"hidden": torch.tanh(average), "numerator": n, "denominator": d, "running_maximum": maximum}
        signals = {"input_value": u, "gate": g, "attention_logit": a, "squashed_gate": squashed, "value": value}
        return new, signals | {"average": average}

    def derived(self, signals: Values, before: Values) -> Values:
        """Weights of the newest moment and of all before it: alpha + retention = 1."""
        maximum, d, log_d = signals["running_maximum"], signals["denominator"], torch.log(signals["denominator"])
        share = 1 / d
        fallen = before["running_maximum"] - maximum
        log_write = signals["attention_logit"] - maximum  # never by way of the mass, whose digits the maximum eats
        log_retention = fallen + torch.log(before["denominator"]) - log_d
        return {
            "log_mass": maximum + log_d,
            "newest_weight": torch.exp(log_write) * share,
            "retention": before["denominator"] * torch.exp(fallen) * share,
            "log_retention": torch.minimum(log_retention, torch.zeros_like(log_retention)),
            "log_write": log_write - log_d,
        }

    def coordinates(self, state: Values) -> Values:
        """(m, ln D) = (n / d, a_max + ln d), which fix the future alone: h = tanh(m), and n, d only share a scale."""
        d = state["denominator"]
        return {"average": state["numerator"] / d, "log_mass": state["running_maximum"] + torch.log(d)}

    def displaced(self, state: Values, by: Values) -> Values:
        """n, d and h at the running maximum of `state`."""
        d = state["denominator"] * torch.exp(by["log_mass"])
        m = state["numerator"] / state["denominator"] + by["average"]
        return {
            "hidden": torch.tanh(m),
            "numerator": m * d,
            "denominator": d,
            "running_maximum": state["running_maximum"],
        }
