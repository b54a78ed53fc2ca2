"""Model: a network with a readout, made from a Configuration."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from rnnscope.core.configuration import Configuration
from rnnscope.core.layout import Layout
from rnnscope.core.networks import NETWORKS
from rnnscope.core.snapshots import Snapshots, nearest
from rnnscope.core.trace import History


class Model(nn.Module):
    """Cells joined to a network, and a linear readout of what they hand up, y_t = V h_t + b.

    Weights are drawn from `configuration.training.seed`; torch's global random state is neither used nor changed.
    `history` is how it was trained so far, `snapshots` are its weights on the way if they were kept.
    """

    def __init__(self, configuration: Configuration):
        super().__init__()
        self.configuration = configuration
        self.history = History()
        self.snapshots = Snapshots()
        self.network = NETWORKS[configuration.network](configuration)
        with torch.random.fork_rng(devices=()):
            self.readout = nn.Linear(self.network.width, configuration.task_settings.outputs)
        if not self.readout.weight.is_meta:
            self._initialise(torch.Generator().manual_seed(configuration.training.seed))

    def _initialise(self, generator: torch.Generator) -> None:
        self.network.initialise(generator)
        nn.init.xavier_uniform_(self.readout.weight, generator=generator)
        nn.init.zeros_(self.readout.bias)

    @property
    def name(self) -> str:
        """What is joined and the task: "lstm-adding"."""
        return name_of(self.configuration)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.readout.weight.device

    @property
    def task(self):
        """The task that the model was made for."""
        return self.configuration.task_settings

    def at(self, iteration: int) -> Model:
        """A model with the weights it had after so many iterations, or at its last snapshot before; on the same engine.

        It is this model itself from its own last iteration on. Raises ValueError where it has no snapshots.
        """
        if iteration >= len(self.history):
            return self
        found = nearest(self.snapshots.iterations, iteration)
        if found is None:
            raise ValueError(f"iteration: expected {len(self.history):,}, got {iteration:,}: no snapshots were kept")
        with torch.device("meta"):
            past = Model(self.configuration)
        weights = self.snapshots.weights[found]
        past.load_state_dict(
            {name: torch.tensor(array, device=self.device) for name, array in weights.items()}, assign=True
        )
        for parameter in past.parameters():
            parameter.requires_grad_()
        past.history = History(self.history.loss[:found], self.history.gradient_norm[:found])
        past.network.engine = self.network.engine
        return past.eval()

    def forward(self, inputs: Tensor, layout: Layout | None = None) -> Tensor:
        """Outputs of every time step: (T, B, I) -> (T, B, O). Without a layout all sequences are T time steps long."""
        if layout is None:
            if self.network.needs:
                raise ValueError(f"layout: the {self.network.name} reads how its sequences lie in the inputs; got none")
            layout = Layout(np.full(inputs.shape[1], len(inputs)))
        return self.readout(self.network.run(inputs, layout).outputs)


def name_of(configuration: Configuration) -> str:
    """What a model is called: "lstm-adding"."""
    return f"{NETWORKS[configuration.network].label(configuration)}-{configuration.task}"
