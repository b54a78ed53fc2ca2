"""Configuration: everything that says how a model is made and trained; what a form shows and a file keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import SerializeAsAny, model_validator

from rnnscope.core.cells import CELLS
from rnnscope.core.networks import NETWORKS
from rnnscope.core.settings import Settings, SettingsError, choose, make, setting
from rnnscope.core.tasks import TASKS, Task


class Training(Settings):
    """How a model is trained: Adam with clipped gradients."""

    iterations: int = setting(2000, "optimiser updates", low=1, high=10_000_000)
    batch: int = setting(50, "sequences per update", low=1, high=65_536, symbol="B", unit="sequences")
    learning_rate: float = setting(2e-3, "step size of Adam", above=0, high=10, symbol="η")
    clip: float = setting(1.0, "largest gradient norm; a larger gradient is scaled down", above=0, high=1e6)
    seed: int = setting(0, "start of all random numbers", low=0, high=2**31 - 1)
    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "where training runs")
    engine: Literal["auto", "reference", "vendor", "fused", "checkpointed"] = setting(
        "auto", "what runs the cells: a plain loop, torch's own layers, compiled kernels, or these in little memory"
    )


class Configuration(Settings):
    """One model and its training. `cell_settings`, `network_settings` and `task_settings` belong to what was chosen."""

    cell: str = setting("lstm", "the recurrent cell")
    units: int = setting(64, "hidden units", low=1, high=4096, symbol="H")
    cell_settings: SerializeAsAny[Settings]
    network: str = setting("stack", "how cells are joined")
    network_settings: SerializeAsAny[Settings]
    task: str = setting("adding", "what the model learns")
    task_settings: SerializeAsAny[Task]
    training: Training = Training()

    @model_validator(mode="before")
    @classmethod
    def _of_the_tables(cls, values: Any) -> Any:
        """Let the chosen cell and task read their own settings."""
        if not isinstance(values, Mapping):
            raise SettingsError(f"expected a table of settings, got {type(values).__name__}")
        values = {"cell": "lstm", "network": "stack", "task": "adding"} | dict(values)
        cell = choose(CELLS, values["cell"], "cell")
        network = choose(NETWORKS, values["network"], "network")
        task = choose(TASKS, values["task"], "task")
        values["cell_settings"] = _own(cell.Settings, values.get("cell_settings", {}), values["cell"])
        values["network_settings"] = _own(network.Settings, values.get("network_settings", {}), values["network"])
        values["task_settings"] = _own(task, values.get("task_settings", {}), values["task"])
        return values

    @model_validator(mode="after")
    def _that_fit(self) -> Self:
        """Not every network can join every cell or learn every task."""
        NETWORKS[self.network].check(self)
        return self


def _own(kind: type[Settings], values: Any, where: str) -> Settings:
    if isinstance(values, kind):
        return values
    if isinstance(values, Settings):
        values = values.model_dump()
    if not isinstance(values, Mapping):
        raise SettingsError(f"{where}: expected a table of settings, got {type(values).__name__}")
    return make(kind, values, where)
