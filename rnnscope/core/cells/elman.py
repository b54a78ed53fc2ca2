"""The Elman network (Elman 1990): the vanilla recurrent cell."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.settings import Settings, setting
from rnnscope.core.trace import Signal


class Elman(Cell):
    """Elman, Finding structure in time, Cognitive Science 14 (1990).

        a_t = W_x x_t + W_h h_(t-1) + b
        h_t = phi(a_t),  phi = tanh or relu,  h_0 = 0

    Equal to torch.nn.RNN with b = b_ih + b_hh. Jacobian per time step: diag(phi'(a_t)) W_h.
    Orthogonal W_h: Saxe, McClelland and Ganguli, arXiv 1312.6120 (2013). Identity W_h with relu is the IRNN: Le, Jaitly and
    Hinton, arXiv 1504.00941 (2015).
    """

    name = "Elman RNN"
    gates = {"preactivation": "xh"}
    states = ("hidden",)

    class Settings(Settings):
        """Options of the Elman cell."""

        nonlinearity: Literal["tanh", "relu"] = setting("tanh", "squashing function of the hidden state", symbol="φ")
        initialisation: Literal["uniform", "orthogonal", "identity"] = setting(
            "uniform", "how W_h is drawn; identity also starts without bias", symbol="W_h"
        )

    signals = {
        "preactivation": Signal("a", "preactivation", gate=True),
        "local_derivative": Signal("φ′", "local derivative", 0, 1, gate=True),
        "hidden": Signal("h", "hidden state", -1, 1),
    }

    def __init__(self, inputs: int, units: int, settings: Settings | None = None):
        super().__init__(inputs, units, settings)
        if self.settings.nonlinearity == "relu":
            self.signals = self.signals | {"hidden": Signal("h", "hidden state", 0)}

    def initialise(self, generator: torch.Generator) -> None:
        """As torch, then W_h anew if it shall keep the norm of what it carries; W_x stays as drawn."""
        super().initialise(generator)
        if self.settings.initialisation == "orthogonal":
            nn.init.orthogonal_(self.weight_h, generator=generator)
        elif self.settings.initialisation == "identity":
            nn.init.eye_(self.weight_h)
            nn.init.zeros_(self.bias)

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """h = phi(a)."""
        a = gates["preactivation"]
        hidden = torch.tanh(a) if self.settings.nonlinearity == "tanh" else torch.relu(a)
        return {"hidden": hidden}, {"preactivation": a}

    def derived(self, signals: Values, before: Values) -> Values:
        """phi'(a): 1 - h^2 for tanh, 1 where a > 0 for relu."""
        h = signals["hidden"]
        steep = torch.where(h > 0, torch.ones_like(h), 0)
        return {"local_derivative": 1 - h**2 if self.settings.nonlinearity == "tanh" else steep}
