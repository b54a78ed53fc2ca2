"""Cells above one another: one layer or many, alike or unlike, with layers without memory before and behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from rnnscope.core.cells import CELLS, Cell
from rnnscope.core.cells.cell import Values
from rnnscope.core.layout import Layout
from rnnscope.core.networks.dense import Dense
from rnnscope.core.networks.network import Chain, Joined, Network, Taps
from rnnscope.core.settings import Settings, SettingsError, choose, setting

if TYPE_CHECKING:
    from rnnscope.core.configuration import Configuration


class Stack(Network):
    """Layer l reads the hidden state of layer l - 1 at the same time step (Schmidhuber 1992; El Hihi and Bengio 1996).

    One layer is the plain network. `input_layers` make the path from the input to the hidden state deep, `output_layers`
    the path from the hidden state to the answer: the DI-RNN and DO-RNN, with the cell "dts" the DOT-RNN, of Pascanu et al.,
    How to construct deep recurrent neural networks, ICLR 2014. With several layers equal to torch.nn.LSTM and the like.
    """

    name = "stack"

    class Settings(Settings):
        """How many layers, and of what."""

        layers: int = setting(1, "recurrent layers above one another", low=1, high=64, symbol="L")
        above: str = setting("", "cells of the layers above the first, in turn, separated by spaces; empty for the same")
        input_layers: int = setting(0, "layers without memory between the input and the first cell", low=0, high=16)
        output_layers: int = setting(0, "layers without memory between the last cell and the readout", low=0, high=16)

    def __init__(self, configuration: Configuration):
        super().__init__(configuration)
        settings, names = self.settings, []
        width = self.inputs
        kinds = _kinds(configuration)
        for kind, count in (("input", settings.input_layers), ("layer", len(kinds)), ("output", settings.output_layers)):
            for n in range(count):
                recurrent = kind == "layer"
                self.cells.append(cell_of(configuration, kinds[n], width, n) if recurrent else Dense(width, self.units))
                names.append(f"{kind} {n + 1}")
                width = self.units
        self.names, self.width = tuple(names), width

    @classmethod
    def check(cls, configuration: Configuration) -> None:
        """As every network; and each layer must find below it what it reads there."""
        super().check(configuration)
        check_layers(_kinds(configuration))

    @classmethod
    def label(cls, configuration: Configuration) -> str:
        """The cell, and how many layers of it."""
        settings = configuration.network_settings
        kinds = "-".join(dict.fromkeys(_kinds(configuration)))
        deep = [f"{settings.layers} layers"] * (settings.layers > 1) + ["deep input"] * (settings.input_layers > 0)
        return " ".join([kinds, *deep, *["deep output"] * (settings.output_layers > 0)])

    @property
    def chains(self) -> dict[str, Chain]:
        """All layers with memory."""
        return {"": Chain(tuple(name for name in self.names if name.startswith("layer")))}

    @property
    def resumes(self) -> bool:
        """Where no cell keeps time."""
        return type(self) is Stack and all(type(cell).at is Cell.at for cell in self.cells)

    def run(
        self,
        inputs: Tensor,
        layout: Layout,
        *,
        record: bool = False,
        taps: Taps | None = None,
        start: Mapping[str, Values] | None = None,
    ) -> Joined:
        """Layer by layer, each over all time steps; `start` (layer -> state, (B, H) each) as in `unroll`."""
        ran, lower = {}, None
        above = [*[cell.lower for cell in self.cells][1:], ()]
        for (name, cell), keep in zip(self.layers.items(), above, strict=True):
            tap = taps[name] if taps else None
            begin = start[name] if start else None
            ran[name] = now = self.unroll(cell, inputs, record=record, keep=keep, taps=tap, start=begin, lower=lower)
            inputs, lower = now.states[cell.output], now.states
        return Joined(inputs, ran)


def cell_of(configuration: Configuration, kind: str, inputs: int, layer: int) -> Cell:
    """The cell of a layer, counted from 0; the configuration's cell settings belong to its own kind of cell only."""
    own = CELLS[kind]
    settings = configuration.cell_settings if kind == configuration.cell else own.Settings()
    made = own.lowest if layer == 0 and own.lowest else own
    return made(inputs, configuration.units, settings)


def check_layers(kinds: list[str]) -> None:
    """Raise SettingsError if a layer does not find below it what it reads there."""
    for n, kind in enumerate(kinds):
        cell = choose(CELLS, kind, "cell" if n == 0 else "above")
        if cell.lower and len(kinds) == 1 and not issubclass(cell.lowest, cell):
            raise SettingsError(f"cell: the {cell.name} reads the layer below it; expected at least 2 layers, got 1")
        below = CELLS[kinds[n - 1]] if n else None
        has = {*below.states, *below.signals} if n else set(cell.lower)
        if missing := [name for name in cell.lower if name not in has]:
            raise SettingsError(f"above: {kind} reads the {missing[0]} of the layer below it; {kinds[n - 1]} has none")


def _kinds(configuration: Configuration) -> list[str]:
    """Keys of CELLS of the recurrent layers, from the lowest on."""
    settings = configuration.network_settings
    above = settings.above.split() or [configuration.cell]
    for kind in above:
        choose(CELLS, kind, "above")
    return [configuration.cell, *(above[n % len(above)] for n in range(settings.layers - 1))]
