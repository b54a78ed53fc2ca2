"""Trace: everything one model did on given sequences, as read-only numpy arrays, time first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

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
class Trace:
    """What a model did, time step by time step; entry t is *after* input t. Float32, read-only.

    inputs     (T, B, I)
    outputs    (T, B, O): the readout of every time step, before any softmax
    signals    name -> (T, B, H)
    legend     name -> Signal, in the cell's own order
    targets    (T, B) classes or (T, B, O) values, or None
    loss       (T, B) loss if the model had to answer at this time step, or None
    gradients  state -> (T, B): norm of the gradient of the scored loss with respect to that part of the state; "state" is
               the norm over the full state in the cell's own coordinates. Empty without targets.
    lengths    (B,) time steps of each sequence; whatever comes later is NaN
    """

    inputs: Array
    outputs: Array
    signals: Mapping[str, Array]
    legend: Mapping[str, Signal]
    lengths: Array
    targets: Array | None = None
    loss: Array | None = None
    gradients: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self):
        for name in ("inputs", "outputs", "lengths", "targets", "loss"):
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, _frozen(array))
        for name in ("signals", "gradients"):
            arrays = {key: _frozen(array) for key, array in getattr(self, name).items()}
            object.__setattr__(self, name, MappingProxyType(arrays))

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
        """H."""
        return self.signals["hidden"].shape[2]


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
