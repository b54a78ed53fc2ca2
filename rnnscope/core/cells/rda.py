"""Recurrent discounted attention: the RWA that can forget (Maginnis and Richemond 2017)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rnnscope.core.cells.cell import Values
from rnnscope.core.cells.rwa import RWA
from rnnscope.core.trace import Signal


class RDA(RWA):
    """Maginnis and Richemond, Efficiently applying attention to sequential data with the RDA unit, arXiv 1705.08480 (2017).

        u, g, a, z and h_0 as in the RWA     gamma = sigmoid(W [x_t, h_(t-1)] + b)
        n_t = gamma n_(t-1) + z e^a     d_t = gamma d_(t-1) + e^a     h_t = tanh(n_t / d_t)

    With exp as the attention function. The RWA keeps these sums as n e^a_max and d e^a_max, so that a discount lowers the
    running maximum by ln gamma, and the rest is the RWA's own update. The RWA if gamma = 1; drawn like the RWA.
    Moment i weighs softmax over i <= t of (a_i - G_i) at time t, where G_i is the sum of ln gamma up to i.
    """

    name = "RDA"
    gates = RWA.gates | {"discount": "xh"}
    signals = RWA.signals | {
        "discount": Signal("γ", "discount of the past", 0, 1, gate=True),
        "discount_preactivation": Signal("a_γ", "discount preactivation"),
    }

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """The RWA's update of discounted sums."""
        a = gates["discount"]
        discounted = state["running_maximum"] + logsigmoid(a)
        new, signals = super().update(gates, state | {"running_maximum": discounted})
        return new, signals | {"discount": torch.sigmoid(a), "discount_preactivation": a}

    def derived(self, signals: Values, before: Values) -> Values:
        """As the RWA, but what is kept is the discounted mass: it may have shrunk."""
        log_gamma = logsigmoid(signals["discount_preactivation"])
        odds = log_odds_kept(before["running_maximum"], before["denominator"], signals["attention_logit"], log_gamma)
        whole = super().derived(signals, before)
        return whole | {"retention": torch.sigmoid(odds), "log_retention": logsigmoid(odds)}


def log_odds_kept(maximum: Tensor, total: Tensor, logit: Tensor, log_discount: Tensor) -> Tensor:
    """Log of the weight of all earlier moments against that of the newest: -inf where there are none.

    maximum, total  before the time step; the mass of all moments is total e^maximum
    logit           of the newest moment: it adds e^logit to the mass, after e^log_discount has scaled what was there
    """
    return maximum - logit + torch.log(total) + log_discount  # large numbers cancel first
