"""Trace: everything one model did on given sequences, as read-only numpy arrays, time first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from rnnscope.core.store import Store

Array = np.ndarray


@dataclass(frozen=True)
class Signal:
    """How one recorded quantity is written and read.

    `symbol` is the letter of the papers, `words` its role. `low` and `high` are the bounds it cannot leave (None where it
    has none). `gate` marks what the gate view shows.
    """

    symbol: str
    words: str
    low: float | None = None
    high: float | None = None
    gate: bool = False


@dataclass(frozen=True)
class Facts:
    """What a view needs to know of a task: plain values, so that drawing never waits for a data set."""

    name: str
    channels: tuple[str, ...]
    picture: tuple[int, int] | None
    loss: str
    baseline: float
    baseline_words: str


@dataclass(frozen=True, eq=False)
class Layer:
    """What one layer of a network did; NaN where it does not work.

    signals    name -> (T, B, H)
    legend     name -> Signal, in the cell's own order
    gradients  state -> (T, B): norm of the gradient of the scored loss with respect to that part of the state; "state" is
               the norm over the full state in the cell's own coordinates. Empty without targets.
    along      the way in which its memory flows
    """

    signals: Mapping[str, Array]
    legend: Mapping[str, Signal]
    gradients: Mapping[str, Array] = field(default_factory=dict)
    along: Literal["forward", "backward", "tree"] = "forward"

    def __post_init__(self):
        for name in ("signals", "gradients"):
            arrays = {key: _frozen(array) for key, array in getattr(self, name).items()}
            object.__setattr__(self, name, MappingProxyType(arrays))

    @property
    def units(self) -> int:
        """H."""
        return self.signals["hidden"].shape[2]


@dataclass(frozen=True, eq=False)
class Attended:
    """The attention of a network over its whole sequence.

    weights  (Q, T, B): what each time step weighs in each query; they sum to 1 over time steps, NaN behind the last query
    first    (B,): the time step, from 0, of a sequence's first query; its others follow
    """

    weights: Array
    first: Array

    def __post_init__(self):
        for name in ("weights", "first"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))


@dataclass(frozen=True, eq=False)
class Trace:
    """What a model did, time step by time step; entry t is *after* input t. Float32, read-only.

    inputs     (T, B, I)
    outputs    (T, B, O): the readout of every time step, before any softmax; NaN where the network gives no answer
    layers     name -> Layer, in the order in which they read
    layer      the layer whose signals, legend and gradients are meant where none is named; by default the first
    lengths    (B,) time steps of each sequence; whatever comes later is NaN
    sources    (B,) time steps of the part before the answer, or None; parents (T, B) of the nodes of trees, or None
    targets    (T, B) classes or (T, B, O) values, or None
    loss       (T, B) loss if the model had to answer at this time step, or None
    attended   what a network with attention over its sequence attended to, or None
    store      where the signals lie, which may be files that go with it; never read
    """

    inputs: Array
    outputs: Array
    layers: Mapping[str, Layer]
    lengths: Array
    layer: str = ""
    sources: Array | None = None
    parents: Array | None = None
    targets: Array | None = None
    loss: Array | None = None
    attended: Attended | None = None
    store: Store | None = None

    def __post_init__(self):
        for name in ("inputs", "outputs", "lengths", "sources", "parents", "targets", "loss"):
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, _frozen(array))
        object.__setattr__(self, "layers", MappingProxyType(dict(self.layers)))
        object.__setattr__(self, "layer", self.layer or next(iter(self.layers)))

    def of_layer(self, layer: str) -> Trace:
        """This Trace with another layer meant; itself if it has no such layer."""
        return replace(self, layer=layer) if layer in self.layers and layer != self.layer else self

    @property
    def signals(self) -> Mapping[str, Array]:
        """Of the layer that is meant: name -> (T, B, H)."""
        return self.layers[self.layer].signals

    @property
    def legend(self) -> Mapping[str, Signal]:
        """Of the layer that is meant."""
        return self.layers[self.layer].legend

    @property
    def gradients(self) -> Mapping[str, Array]:
        """Of the layer that is meant: state -> (T, B)."""
        return self.layers[self.layer].gradients

    @property
    def time_steps(self) -> int:
        """T."""
        return self.inputs.shape[0]

    @property
    def sequences(self) -> int:
        """B."""
        return self.inputs.shape[1]

    @property
    def units(self) -> int:
        """H of the layer that is meant."""
        return self.layers[self.layer].units


@dataclass(frozen=True, eq=False)
class Influence:
    """How much the output at a time step, from 1, depends on each input of its sequence, from 0.

    output  which, from 0; None for all
    values  (T,): norm of the gradient of the output there with respect to each input; NaN behind the end
    """

    time_step: int
    sequence: int
    output: int | None
    values: Array

    def __post_init__(self):
        object.__setattr__(self, "values", _frozen(self.values))


@dataclass(frozen=True, eq=False)
class History:
    """Training so far: loss and gradient norm (before clipping) of each iteration, both (iterations,) float32."""

    loss: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    gradient_norm: Array = field(default_factory=lambda: np.zeros(0, np.float32))

    def __post_init__(self):
        object.__setattr__(self, "loss", _frozen(self.loss))
        object.__setattr__(self, "gradient_norm", _frozen(self.gradient_norm))

    def __len__(self) -> int:
        return len(self.loss)

    def extended(self, loss: Array, gradient_norm: Array) -> History:
        """A History with further iterations behind these."""
        return History(np.concatenate([self.loss, loss]), np.concatenate([self.gradient_norm, gradient_norm]))


def _frozen(array: Array) -> Array:
    array = np.asarray(array)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    view = array.view()
    view.flags.writeable = False
    return view
