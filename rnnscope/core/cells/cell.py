"""What a cell is: declared gates and states, and one pointwise update; the engine owns the matrix products."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from rnnscope.core.settings import Settings
from rnnscope.core.trace import Signal

Values = dict[str, Tensor]
Update = Callable[[Values, Values], tuple[Values, Values]]


class Cell(nn.Module, ABC):
    """One recurrent update with its weights. Subclasses declare, and write one pointwise `update`.

    `gates` names the preactivations and what feeds each: "x" (the input), "xh" (input and previous hidden), "h" or "".
    They are declared in that order, because all but the last kind are columns of one buffer [x | xh | h]:

        preactivations = [x W_x^T + b_x | 0] + [0 | h_(t-1) W_h^T + b_h]                      (B, gates fed * H)

    A gate fed by nothing ("") is its bias, (H,): a learned vector, such as a peephole.

    Parameters: `weight_x` (gates fed by x * H, I), `weight_h` (gates fed by h * H, H), `bias` (len(gates) * H) without the
    gates in `unbiased`. One bias per gate: torch's two are their sum. Any of them may have no rows.
    `states` is the full Markov state in order; it always contains "hidden", the part that the matrix products see.
    `pointwise` is False for a cell that holds a further weight and multiplies by it inside `update`: no engine can take
    that product out, so such a cell runs on the reference engine only.

    In a stack, `output` names the state or signal that the layer above and the readout take as their input. `lower` names
    further values of the layer below that `update` finds in its state as "lower_<name>" (zeros if there is none below), and
    `lowest` is the cell that takes the place of this one where there is nothing below. `handed_up` names the states that
    only others read at the same time step, so that `coordinates` leave them out.
    """

    gates: ClassVar[Mapping[str, str]]
    unbiased: ClassVar[frozenset[str]] = frozenset()
    states: ClassVar[tuple[str, ...]]
    signals: ClassVar[Mapping[str, Signal]]
    name: ClassVar[str]
    pointwise: ClassVar[bool] = True
    output: ClassVar[str] = "hidden"
    lower: ClassVar[tuple[str, ...]] = ()
    lowest: ClassVar[type[Cell] | None] = None
    handed_up: ClassVar[tuple[str, ...]] = ()

    class Settings(Settings):
        """A cell without options of its own."""

    def __init__(self, inputs: int, units: int, settings: Settings | None = None):
        super().__init__()
        self.inputs, self.units = inputs, units
        self.settings = settings or self.Settings()
        fed_by_x = sum("x" in source for source in self.gates.values())
        fed_by_h = sum("h" in source for source in self.gates.values())
        self.columns = sum(source != "" for source in self.gates.values()) * units  # of the preactivation buffer
        self.first_h = self.columns - fed_by_h * units  # the column where the gates fed by h begin
        self.last_x = fed_by_x * units
        self.weight_x = nn.Parameter(torch.empty(fed_by_x * units, inputs))
        self.weight_h = nn.Parameter(torch.empty(fed_by_h * units, units))
        self.bias = nn.Parameter(torch.empty((len(self.gates) - len(self.unbiased)) * units))

    @classmethod
    def check(cls, units: int, settings: Settings) -> None:
        """Raise SettingsError if a cell of so many units cannot have these settings."""

    def initialise(self, generator: torch.Generator) -> None:
        """Draw all parameters from U(-1/sqrt(H), 1/sqrt(H)), as torch.nn.RNNBase does."""
        bound = 1 / math.sqrt(self.units)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def gate_rows(self, gate: str, source: str) -> slice:
        """Rows of `weight_x` (source "x") or `weight_h` ("h") or entries of `bias` ("bias") that belong to `gate`."""
        if source == "bias":
            members = [name for name in self.gates if name not in self.unbiased]
        else:
            members = [name for name, fed_by in self.gates.items() if source in fed_by]
        first = members.index(gate) * self.units
        return slice(first, first + self.units)

    def full_bias(self) -> Tensor:
        """The bias of every column of the preactivation buffer, zero for the unbiased gates: (gates fed * H,)."""
        if not self.unbiased:
            return self.bias[: self.columns]
        zero = self.bias.new_zeros(self.units)
        fed = [name for name, source in self.gates.items() if source]
        return torch.cat([zero if name in self.unbiased else self.bias[self.gate_rows(name, "bias")] for name in fed])

    def constants(self) -> tuple[Tensor, ...]:
        """The preactivations of the gates fed by nothing, each (H,)."""
        return tuple(self.bias[self.gate_rows(name, "bias")] for name, source in self.gates.items() if not source)

    def initial_state(self, batch: int) -> Values:
        """State before the first time step, each (B, H): zeros unless a cell says otherwise."""
        return {name: self.weight_x.new_zeros(batch, self.units) for name in self.states}

    def input_side(self, inputs: Tensor) -> Tensor:
        """All that does not depend on h in the preactivations, for all time steps at once: (T, B, I) to (T, B, fed * H)."""
        bias = self.full_bias()
        fed_by_x = linear(inputs, self.weight_x, bias[: self.last_x])  # (T, B, last_x)
        only_h = bias[self.last_x :]
        if not len(only_h):
            return fed_by_x
        return torch.cat([fed_by_x, only_h.expand(*inputs.shape[:2], -1)], -1)

    def at(self, t: int) -> Update:
        """The update in force at time step t, counted from 1: the same at all of them unless a cell keeps time."""
        return self.update

    @abstractmethod
    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """One time step: preactivations (B, H), or (H,) if fed by nothing, and state (B, H) to new state and signals."""

    def derived(self, signals: Values, before: Values) -> Values:
        """Signals that follow from the recorded ones and the state before, element by element, so all time steps at once.

        Gated cells give `log_retention`, the log of the share of its memory that a unit keeps at a time step, and
        `log_write`, the log of the weight with which it writes its candidate: together they say what the past weighs.
        """
        return {}

    def coordinates(self, state: Values) -> Values:
        """The state in coordinates in which distances mean something, for gradient norms: by default itself."""
        return state

    def displaced(self, state: Values, by: Values) -> Values:
        """The state whose coordinates are those of `state` and `by` more; what they leave open is as in `state`."""
        return state | {name: state[name] + by[name] for name in by}

    def in_coordinates(self, state: Values, gradients: Values) -> Values:
        """Pull gradients with respect to the raw state back to `coordinates`: coordinate -> (T, B, H)."""
        nothing = -0.0  # to add it changes no bit, so that compilers need not
        still = {name: torch.full_like(x, nothing) for name, x in self.coordinates(state).items()}
        raw, pull = torch.func.vjp(lambda by: self.displaced(state, by), still)
        return pull({name: gradients[name] for name in raw})[0]
