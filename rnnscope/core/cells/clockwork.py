"""The clockwork RNN: modules of units that each work at their own pace (Koutnik et al. 2014)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from rnnscope.core.cells.cell import Cell, Update, Values
from rnnscope.core.settings import Settings, SettingsError, setting
from rnnscope.core.trace import Signal


class Clockwork(Cell):
    """Koutnik, Greff, Gomez and Schmidhuber, A clockwork RNN, ICML 2014 (arXiv 1402.3511).

        module i = 1..g has k_i units and the period T_i = ratio^(i-1)
        h_i,t = tanh(W_i x_t + b_i + sum over j >= i of U_ij h_j,(t-1))   at time steps t = 1, 2, .. that T_i divides
        h_i,t = h_i,(t-1)                                                  at all others;   h_0 = 0

    A module reads itself and the slower ones, never a faster one. What works at a time step is always the first modules, so
    only their products are made, of h with `blocks`, block i = [U_ii .. U_ig] of shape (k_i, k_i + .. + k_g), inside the
    update: not pointwise. Units are shared out evenly; what is left over goes to the first modules. Where a module rests,
    its preactivation and its local derivative dh/da are recorded as 0, and dh_t/dh_(t-1) is 1.
    With one module this is the Elman network with tanh.
    """

    name = "clockwork RNN"
    gates = {"preactivation": "x"}
    states = ("hidden",)
    pointwise = False

    class Settings(Settings):
        """Options of the clockwork RNN."""

        modules: int = setting(4, "groups of units, each with its own period; at most as many as units", low=1, high=64)
        ratio: int = setting(2, "period of a module over the period of the one before", low=2, high=16)

    signals = {
        "active": Signal("m", "whether the module works", 0, 1, gate=True),
        "preactivation": Signal("a", "preactivation, 0 where the module rests", gate=True),
        "local_derivative": Signal("φ′", "local derivative", 0, 1, gate=True),
        "hidden": Signal("h", "hidden state", -1, 1),
    }

    def __init__(self, inputs: int, units: int, settings: Settings | None = None):
        super().__init__(inputs, units, settings)
        self.check(units, self.settings)
        modules = self.settings.modules
        few, left_over = divmod(units, modules)
        bounds = accumulate((few + (n < left_over) for n in range(modules)), initial=0)
        self.spans = tuple(slice(*ends) for ends in pairwise(bounds))
        self.periods = tuple(self.settings.ratio**n for n in range(modules))
        self.blocks = nn.ParameterList(torch.empty(own.stop - own.start, units - own.start) for own in self.spans)

    @classmethod
    def check(cls, units: int, settings: Settings) -> None:
        """Every module needs a unit."""
        if units < settings.modules:
            raise SettingsError(
                f"units: a {cls.name} of {settings.modules} modules needs at least {settings.modules}, got {units}"
            )

    def input_side(self, inputs: Tensor) -> Tensor:
        """W x_t + b of each module at the time steps at which it works, 0 elsewhere: (T, B, I) to (T, B, H)."""
        columns = []
        for own, working in self._schedule(len(inputs)):
            column = inputs.new_zeros(*inputs.shape[:2], own.stop - own.start)
            seen = inputs[working].contiguous()  # else torch takes another route, in digits too, where gradients are wanted
            column[working] = linear(seen, self.weight_x[own], self.bias[own])
            columns.append(column)
        return torch.cat(columns, -1)

    def at(self, t: int) -> Update:
        """The update of those modules whose period divides t."""
        return partial(self._advance, sum(t % period == 0 for period in self.periods))

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """h = tanh(a + U h) with all modules at work."""
        return self._advance(len(self.periods), gates, state)

    def _advance(self, working: int, gates: Values, state: Values) -> tuple[Values, Values]:
        """The same for the first modules; the others keep h."""
        fed, h = gates["preactivation"], state["hidden"]
        blocks = zip(self.spans[:working], self.blocks, strict=False)
        a = torch.cat([torch.addmm(fed[:, own], h[:, own.start :], block.t()) for own, block in blocks], -1)
        resting = h[:, a.shape[-1] :]
        rest = (0, resting.shape[-1])
        signals = {"preactivation": pad(a, rest), "active": pad(torch.ones_like(a), rest)}
        return {"hidden": torch.cat([torch.tanh(a), resting], -1)}, signals

    def derived(self, signals: Values, before: Values) -> Values:
        """d h / d a, 0 where a unit rests."""
        return {"local_derivative": signals["active"] * (1 - signals["hidden"] ** 2)}

    def _schedule(self, steps: int) -> Iterable[tuple[slice, slice]]:
        """Each module's units, and the first `steps` time steps' entries at which it works."""
        for period, own in zip(self.periods, self.spans, strict=True):
            apart = min(period, steps + 1)  # a tensor's stride is bounded
            yield own, slice(apart - 1, None, apart)
