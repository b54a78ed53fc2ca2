"""What a network is: cells joined in some way, run over whole sequences on one common time axis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from rnnscope.core.cells import CELLS, Cell
from rnnscope.core.engines import ENGINES, Unrolled
from rnnscope.core.layout import Layout
from rnnscope.core.settings import Settings, SettingsError

if TYPE_CHECKING:
    from rnnscope.core.configuration import Configuration

Taps = Mapping[str, dict[str, Tensor]]


@dataclass(frozen=True)
class Chain:
    """Layers whose states together carry memory: forward in time, backward, or up a tree."""

    layers: tuple[str, ...]
    along: Literal["forward", "backward", "tree"] = "forward"


@dataclass
class Joined:
    """A network run over sequences, everything on the time axis of its inputs.

    outputs   (T, B, W): what the readout sees
    layers    name -> Unrolled of that layer; only where `Network.active` says so do its values mean anything
    attended  (Q, T, B) or None: the weight that the query q of a sequence gives to each of its time steps; the queries are
              at consecutive time steps from `first_query` (B,) on
    """

    outputs: Tensor
    layers: dict[str, Unrolled] = field(default_factory=dict)
    attended: Tensor | None = None
    first_query: np.ndarray | None = None


class Network(nn.Module, ABC):
    """Cells joined in some way. Subclasses fill `cells` and `names` and write `run`.

    `needs` is the structure that a task must give beside time; `causal` is False for a network whose outputs depend on
    later inputs; `attends` says that it has attention over its whole sequence, `answers_once` that it has one answer for
    the whole sequence only; `joins` names the cells that it can join, all if empty; `most_children` is how many a node of a
    tree can have, None for any number; `resumes` says that `run` takes the state before the first time step, so that a long
    sequence can be run in pieces; `width` is the number of features that the readout sees.
    """

    name: ClassVar[str]
    needs: ClassVar[Literal["", "source", "tree"]] = ""
    causal: ClassVar[bool] = True
    attends: bool = False
    answers_once: ClassVar[bool] = False
    joins: ClassVar[tuple[str, ...]] = ()
    most_children: int | None = None
    resumes: bool = False
    width: int
    names: tuple[str, ...]

    class Settings(Settings):
        """A network without options of its own."""

    def __init__(self, configuration: Configuration):
        super().__init__()
        self.inputs, self.units = configuration.task_settings.inputs, configuration.units
        self.settings = configuration.network_settings
        self.cells = nn.ModuleList()
        self.engine: str | None = None  # a key of ENGINES, or not chosen yet: then the reference

    @classmethod
    def check(cls, configuration: Configuration) -> None:
        """Raise SettingsError if this network cannot join that cell, or cannot learn that task."""
        task, cell = configuration.task_settings, configuration.cell
        CELLS[cell].check(configuration.units, configuration.cell_settings)
        if cls.joins and cell not in cls.joins:
            raise SettingsError(f"cell: the {cls.name} joins {' or '.join(cls.joins)}; got {cell}")
        if cls.needs and task.structure != cls.needs:
            what = {"source": "a source and an answer", "tree": "trees"}[cls.needs]
            raise SettingsError(f"task: the {cls.name} needs a task with {what}; {configuration.task} has none")
        if cls.answers_once and not task.answers_once:
            raise SettingsError(f"task: the {cls.name} gives one answer, at the end; {configuration.task} asks for more")
        if not cls.causal and task.looks_ahead:
            raise SettingsError(
                f"task: the {cls.name} sees the whole sequence, and the answers of {configuration.task} are what comes "
                "next in it; nothing would be left to learn"
            )

    @classmethod
    def label(cls, configuration: Configuration) -> str:
        """What a model is called after: the network and its cell."""
        return f"{configuration.network}-{configuration.cell}"

    @property
    def layers(self) -> dict[str, Cell]:
        """The cells by the names of their layers, in the order in which they read."""
        return dict(zip(self.names, self.cells, strict=True))

    @property
    def shown(self) -> dict[str, tuple[str, ...]]:
        """What a Trace calls a layer: several of alike cells where they work one after another, never at the same time."""
        return {name: (name,) for name in self.names}

    @property
    def chains(self) -> dict[str, Chain]:
        """The directions in which memory flows, "" where there is one."""
        return {"": Chain(self.names)}

    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights, layer by layer."""
        for cell in self.cells:
            cell.initialise(generator)

    def unroll(self, cell: Cell, inputs: Tensor, **options) -> Unrolled:
        """Run one cell over time on the network's engine; `options` as `engines.reference.unroll` takes them."""
        return ENGINES[self.engine or "reference"](cell, inputs, **options)

    @abstractmethod
    def run(self, inputs: Tensor, layout: Layout, *, record: bool = False, taps: Taps | None = None) -> Joined:
        """Run over `inputs` (T, B, I); `record` and `taps` (layer -> state -> (T, B, H)) as in `unroll`."""

    def direct_path(self, chain: Chain) -> tuple[str, ...]:
        """The layers whose gates, one after another, an old memory has to pass to the end of the chain."""
        return chain.layers[-1:]

    def active(self, layer: str, layout: Layout, steps: int) -> np.ndarray:
        """Where a layer works: (T, B), by default within each sequence."""
        return layout.within(steps)

    def end(self, chain: Chain, ran: Joined, layout: Layout) -> list[Tensor]:
        """The memory at the end of a chain, whose dependence on the past is measured: tensors (B, H), in coordinates."""
        each = torch.arange(len(layout.lengths))
        last = torch.as_tensor(np.zeros_like(layout.lengths) if chain.along == "backward" else layout.lengths - 1)
        ends: list[Tensor] = []
        for name in chain.layers:
            cell, states = self.layers[name], ran.layers[name].states
            state = {part: states[part][last, each] for part in cell.states}
            if self.active(name, layout, len(ran.outputs))[last, each].all():
                ends += cell.coordinates(state).values()
        return ends


def pick(values: Tensor, time_steps: np.ndarray) -> Tensor:
    """Values (T, B, N) at the time steps named for each place of each sequence, (T', B): (T', B, N)."""
    index = torch.as_tensor(time_steps, device=values.device)
    return values.gather(0, index[..., None].expand(*index.shape, values.shape[-1]))


def backwards(layout: Layout, steps: int) -> np.ndarray:
    """Time steps (T, B) in the order in which each sequence is read from its end; padding stays. Its own inverse."""
    t = np.arange(steps)[:, None]
    return np.where(t < layout.lengths, layout.lengths - 1 - t, t)


def moved(ran: Unrolled, time_steps: np.ndarray) -> Unrolled:
    """An Unrolled with all its values picked anew along time."""
    parts = ({name: pick(value, time_steps) for name, value in values.items()} for values in (ran.states, ran.signals))
    return Unrolled(*parts)
