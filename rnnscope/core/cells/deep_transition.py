"""The RNN with a deep transition: several layers between one hidden state and the next (Pascanu et al. 2014)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.settings import Settings, setting
from rnnscope.core.trace import Signal

LAYERS = 2


def _signals(layers: int) -> dict[str, Signal]:
    between = {f"transition_{n}": Signal(f"v_{n}", f"transition layer {n}", -1, 1, gate=True) for n in range(1, layers)}
    return {
        "preactivation": Signal("a", "preactivation", gate=True),
        "local_derivative": Signal("φ′", "local derivative", 0, 1, gate=True),
        **between,
        "hidden": Signal("h", "hidden state", -1, 1),
    }


class DeepTransition(Cell):
    """Pascanu, Gulcehre, Cho and Bengio, How to construct deep recurrent neural networks, ICLR 2014: the DT-RNN.

        v_1 = tanh(W_1 h_(t-1) + U x_t + b_1)
        v_l = tanh(W_l v_(l-1) + b_l),   l = 2 .. L
        h_t = v_L,   h_0 = 0

    `weight_transition` holds W_2 .. W_L, (L-1, H, H), and `bias_transition` b_2 .. b_L, (L-1, H); these products stand
    inside `update`: not pointwise. The preactivation and the local derivative 1 - h^2 are those of the last layer, the
    signals transition_1 .. transition_(L-1) are v_1 .. v_(L-1). With L = 1 this is the Elman network with tanh.
    Jacobian per time step: diag(1 - v_L^2) W_L .. diag(1 - v_1^2) W_1.
    """

    name = "deep transition RNN"
    gates = {"preactivation": "xh"}
    states = ("hidden",)
    pointwise = False
    signals = _signals(LAYERS)

    class Settings(Settings):
        """Options of the deep transition."""

        transition_layers: int = setting(
            LAYERS, "layers from one hidden state to the next", low=1, high=16, symbol="L", unit="layers"
        )

    def __init__(self, inputs: int, units: int, settings: Settings | None = None):
        super().__init__(inputs, units, settings)
        layers = self.settings.transition_layers
        self.signals = _signals(layers)
        self.weight_transition = nn.Parameter(torch.empty(layers - 1, units, units))
        self.bias_transition = nn.Parameter(torch.empty(layers - 1, units))

    def update(self, gates: Values, state: Values) -> tuple[Values, Values]:
        """h = v_L, layer by layer."""
        a, between = gates["preactivation"], {}
        for n in range(len(self.weight_transition)):
            between[f"transition_{n + 1}"] = v = torch.tanh(a)
            a = self._preactivation(n, v, state["hidden"])
        return {"hidden": torch.tanh(a)}, between | {"preactivation": a}

    def _preactivation(self, n: int, v: Tensor, h: Tensor) -> Tensor:
        return linear(v, self.weight_transition[n], self.bias_transition[n])

    def derived(self, signals: Values, before: Values) -> Values:
        """1 - h^2."""
        return {"local_derivative": 1 - signals["hidden"] ** 2}


class DeepTransitionShortcut(DeepTransition):
    """The same with shortcuts: the DT(S)-RNN.

        v_1 = tanh(W_1 h_(t-1) + U x_t + b_1)
        v_l = tanh(W_l v_(l-1) + S_l h_(t-1) + b_l),   l = 2 .. L
        h_t = v_L,   h_0 = 0

    `weight_shortcut` holds S_2 .. S_L, (L-1, H, H). Jacobian per time step J_L, with J_1 = diag(1 - v_1^2) W_1 and
    J_l = diag(1 - v_l^2) (W_l J_(l-1) + S_l): the path through S_L is as short as in the Elman network.
    """

    name = "deep transition RNN with shortcuts"

    def __init__(self, inputs: int, units: int, settings: Settings | None = None):
        super().__init__(inputs, units, settings)
        self.weight_shortcut = nn.Parameter(torch.empty_like(self.weight_transition))

    def _preactivation(self, n: int, v: Tensor, h: Tensor) -> Tensor:
        return super()._preactivation(n, v, h) + linear(h, self.weight_shortcut[n])
