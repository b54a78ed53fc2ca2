"""The linear recurrent unit: complex modes that turn and decay (Orvieto et al. 2023)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.settings import Settings, setting
from rnnscope.core.trace import Signal


class LRU(Cell):
    """Orvieto et al., Resurrecting recurrent neural networks for long sequences, ICML 2023 (arXiv 2303.06349).

        lambda = exp(-exp(nu) + i exp(theta))     gamma = sqrt(1 - |lambda|^2)
        s_t = lambda s_(t-1) + gamma B x_t,   s_0 = 0
        h_t = Re(C s_t)

    One complex mode s per unit, kept as its real and imaginary part; B and C are complex matrices, nu and theta vectors, so
    |lambda| < 1 whatever they are. h mixes all modes and is fed back to nothing. C stands inside `update`: not pointwise.
    The paper trains gamma on from this formula and adds D x_t to h; here gamma stays, and nothing bypasses the memory.
    Jacobian per time step: diag(lambda), the same at every time step.
    """

    name = "LRU"
    gates = {"real": "x", "imaginary": "x", "decay": "", "phase": ""}
    unbiased = frozenset({"real", "imaginary"})
    states = ("hidden", "real", "imaginary")
    pointwise = False

    class Settings(Settings):
        """Options of the LRU: the ring that lambda is drawn from."""

        r_min: float = setting(0.9, "smallest |lambda| drawn", low=1e-3, high=0.99999, symbol="r_min")
        r_max: float = setting(0.999, "largest |lambda| drawn", low=1e-3, high=0.99999, symbol="r_max")
        phase: float = setting(2 * math.pi, "largest angle of lambda drawn, in radians", above=0, high=2 * math.pi)

    signals = {
        "real": Signal("Re s", "real part of the mode", gate=True),
        "imaginary": Signal("Im s", "imaginary part of the mode", gate=True),
        "modulus": Signal("|s|", "modulus of the mode", 0),
        "hidden": Signal("h", "hidden state"),
        "log_retention": Signal("ln |λ|", "log of the share kept", None, 0),
        "log_write": Signal("ln γ", "log of the share written", None, 0),
        "timescale": Signal("τ", "time scale -1/ln |λ| in time steps", 0),
    }

    def __init__(self, inputs: int, units: int, settings: Settings | None = None):
        super().__init__(inputs, units, settings)
        self.weight_real = nn.Parameter(torch.empty(units, units))
        self.weight_imaginary = nn.Parameter(torch.empty(units, units))

    def initialise(self, generator: torch.Generator) -> None:
        """The authors' choice: lambda uniform on a ring, B ~ N(0, 1 / (2 I)) and C ~ N(0, 1 / H), real and imaginary."""
        nn.init.normal_(self.weight_x, std=(2 * self.inputs) ** -0.5, generator=generator)
        for weight in (self.weight_real, self.weight_imaginary):
            nn.init.normal_(weight, std=self.units**-0.5, generator=generator)
        low, high = self.settings.r_min**2, self.settings.r_max**2
        with torch.no_grad():
            squared, turn = (1 - self.bias.new_empty(2, self.units).uniform_(generator=generator)).unbind()  # in (0, 1]
            self.bias[self.gate_rows("decay", "bias")] = torch.log(-torch.log(low + (high - low) * squared) / 2)
            self.bias[self.gate_rows("phase", "bias")] = torch.log(self.settings.phase * turn)

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """s = lambda s + gamma B x in real numbers;  h = Re(C s)."""
        rate, angle = torch.exp(gates["decay"]), torch.exp(gates["phase"])
        radius, gamma = torch.exp(-rate), torch.exp(log_gamma(rate))
        cos, sin = radius * torch.cos(angle), radius * torch.sin(angle)
        real = cos * state["real"] - sin * state["imaginary"] + gamma * gates["real"]
        imaginary = sin * state["real"] + cos * state["imaginary"] + gamma * gates["imaginary"]
        return {"hidden": self._seen(real, imaginary), "real": real, "imaginary": imaginary}, {}

    def derived(self, signals: Values, before: Values) -> Values:
        """What lambda and gamma say of every time step alike."""
        zero = torch.zeros_like(signals["real"])
        rate = torch.exp(self.bias[self.gate_rows("decay", "bias")])
        return {
            "modulus": torch.hypot(signals["real"], signals["imaginary"]),
            "log_retention": zero - rate,
            "log_write": zero + log_gamma(rate),
            "timescale": zero + 1 / rate,
        }

    def coordinates(self, state: Values) -> Values:
        """The modes alone: h follows from them."""
        return {"real": state["real"], "imaginary": state["imaginary"]}

    def displaced(self, state: Values, by: Values) -> Values:
        """The modes and what is seen of them."""
        moved = super().displaced(state, by)
        return moved | {"hidden": self._seen(moved["real"], moved["imaginary"])}

    def _seen(self, real: Tensor, imaginary: Tensor) -> Tensor:
        return linear(real, self.weight_real) - linear(imaginary, self.weight_imaginary)  # Re(C s)


def log_gamma(rate: Tensor) -> Tensor:
    """Log of sqrt(1 - |lambda|^2) for |lambda| = e^-rate, exact also where |lambda| is nearly 1."""
    return torch.log(-torch.expm1(-2 * rate)) / 2
