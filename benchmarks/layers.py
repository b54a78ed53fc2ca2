"""What is measured: forward and backward of a cell or of torch's own layer, from the sum of all outputs to the weights."""

from __future__ import annotations

import torch
from machine import Work
from torch import nn

from rnnscope.core.cells import CELLS
from rnnscope.core.engines import ENGINES, NORMS
from rnnscope.core.engines.kernel_cache import prepare

SHAPES = {  # batch, time steps, inputs, units
    "A": (32, 100, 2, 64),
    "B": (64, 200, 64, 128),
    "C": (100, 1000, 2, 250),
    "D": (1, 10_000, 32, 256),
    "E": (1, 100_000, 8, 64),
    "F": (4, 300, 32, 512),
}
TORCH = {"nn.lstm": nn.LSTM, "nn.gru": nn.GRU}


class Layer:
    """A cell on an engine, `run`: by default on its kernels, and on the reference where it has none.

    `traced` keeps all states and signals, and takes norms of the gradients with respect to every state at every time step.
    What a cell reads from a layer below it is given, at random.
    """

    def __init__(
        self, name: str, shape: tuple[int, ...], engine: str | None = None, traced: bool = False, device: str = "cpu"
    ):
        batch, steps, inputs, units = shape
        self.cell, self.traced = CELLS[name](inputs, units), traced
        self.cell.initialise(torch.Generator().manual_seed(0))
        self.cell.to(device)
        self.x = torch.randn(steps, batch, inputs, device=device)
        kernels = prepare(self.cell, self.x.dtype, wait=True) if device == "cpu" else None
        self.engine = engine or ("reference" if kernels is None else "fused")
        self.run = ENGINES[self.engine]
        lower = {part: torch.randn(steps, batch, units, device=device) for part in self.cell.lower}
        self.options = {"lower": lower} if lower else {}
        self._norms = self.x.new_zeros(steps, batch, 1 + len(self.cell.states), dtype=torch.float64)
        recorded = set(self.cell.signals) - set(self.cell.states) if traced else ()
        gates = [len(weight) // units for weight in (self.cell.weight_x, self.cell.weight_h)]
        self.work = Work(*shape, *gates, len(self.cell.states), len(recorded))

    def __call__(self) -> None:
        options = self.options
        if self.traced:
            options = options | {"record": True, "taps": {NORMS: self._norms.requires_grad_()}}
        loss = self.run(self.cell, self.x, **options).states[self.cell.output].sum()
        wanted = [*self.cell.parameters(), *([self._norms] if self.traced else [])]
        torch.autograd.grad(loss, wanted, materialize_grads=True)


class TorchLayer:
    """torch's own layer."""

    engine = "torch"

    def __init__(self, name: str, shape: tuple[int, ...], device: str = "cpu"):
        batch, steps, inputs, units = shape
        self.layer, self.x = TORCH[name](inputs, units).to(device), torch.randn(steps, batch, inputs, device=device)
        gates = len(self.layer.weight_hh_l0) // units
        self.work = Work(*shape, gates, gates, 2 if name == "nn.lstm" else 1)

    def __call__(self) -> None:
        torch.autograd.grad(self.layer(self.x)[0].sum(), list(self.layer.parameters()))


def layer(name: str, shape: tuple[int, ...], engine: str | None = None) -> Layer | TorchLayer:
    """By the name of a row."""
    return TorchLayer(name, shape) if name in TORCH else Layer(name, shape, engine)
