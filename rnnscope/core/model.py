"""Model: a cell with a readout, made from a Configuration."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rnnscope.core.cells import CELLS
from rnnscope.core.configuration import Configuration
from rnnscope.core.engines import ENGINES
from rnnscope.core.trace import History


class Model(nn.Module):
    """A recurrent cell and a linear readout of its hidden state, y_t = V h_t + b.

    Weights are drawn from `configuration.training.seed`; torch's global random state is neither used nor changed.
    `history` is how it was trained so far.
    """

    def __init__(self, configuration: Configuration):
        super().__init__()
        self.configuration = configuration
        self.history = History()
        task = configuration.task_settings
        self.cell = CELLS[configuration.cell](task.inputs, configuration.units, configuration.cell_settings)
        with torch.random.fork_rng(devices=()):
            self.readout = nn.Linear(configuration.units, task.outputs)
        if not self.cell.weight_x.is_meta:
            self._initialise(torch.Generator().manual_seed(configuration.training.seed))

    def _initialise(self, generator: torch.Generator) -> None:
        self.cell.initialise(generator)
        nn.init.xavier_uniform_(self.readout.weight, generator=generator)
        nn.init.zeros_(self.readout.bias)

    @property
    def name(self) -> str:
        """Cell and task, the keys of CELLS and TASKS: "lstm-adding"."""
        return f"{self.configuration.cell}-{self.configuration.task}"

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.readout.weight.device

    @property
    def task(self):
        """The task that the model was made for."""
        return self.configuration.task_settings

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs of every time step: (T, B, I) -> (T, B, O)."""
        return self.readout(ENGINES["reference"](self.cell, inputs).states["hidden"])
