"""Catalogue: what can be chosen, handed over by the worker once the model core is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnnscope.core.settings import Settings


@dataclass(frozen=True)
class Catalogue:
    """What can be chosen: name -> Settings of each cell, network and task, and the configuration that holds a choice."""

    configuration: type[Settings]
    training: type[Settings]
    cells: Mapping[str, type[Settings]]
    networks: Mapping[str, type[Settings]]
    tasks: Mapping[str, type[Settings]]
    joins: Mapping[str, tuple[str, ...]]  # network -> the cells that it can join
    learns: Mapping[str, tuple[str, ...]]  # network -> the tasks that have what it reads
    words: Mapping[str, str]  # cell, network or task -> its name in words

    @classmethod
    def made(cls) -> Catalogue:
        """The catalogue of this core; takes as long as importing torch."""
        from rnnscope.core.cells import CELLS
        from rnnscope.core.configuration import Configuration, Training
        from rnnscope.core.networks import NETWORKS
        from rnnscope.core.tasks import TASKS

        return cls(
            Configuration,
            Training,
            {name: cell.Settings for name, cell in CELLS.items()},
            {name: network.Settings for name, network in NETWORKS.items()},
            TASKS,
            {name: network.joins or tuple(CELLS) for name, network in NETWORKS.items()},
            {
                name: tuple(task for task, kind in TASKS.items() if network.needs in ("", kind.structure))
                for name, network in NETWORKS.items()
            },
            {name: thing.name for table in (CELLS, NETWORKS, TASKS) for name, thing in table.items()},
        )
