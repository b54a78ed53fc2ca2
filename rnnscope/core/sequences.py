"""Sequences as a model can read them: checked, on its device, in its precision, with nothing behind their ends."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rnnscope.core.layout import Layout
from rnnscope.core.model import Model
from rnnscope.core.networks import Network


def sequences_for(model: Model, inputs, lengths=None, sources=None, parents=None) -> tuple[Tensor, Layout, Tensor]:
    """Inputs (T, B, I), how they lie in it, and where a time step lies within its sequence (T, B).

    inputs   (T, B, I), or one sequence (T, I); array or tensor. What lies behind a sequence's end becomes 0
    lengths  (B,) time steps of each sequence, T by default
    sources  (B,) time steps of the part before the answer; parents (T, B) of each node: as in Layout, and only needed by
             a network that reads them
    Raises ValueError that names the argument whose shape or values do not fit.
    """
    weight, network = model.readout.weight, model.network
    inputs = as_tensor(inputs, "inputs").detach().to(weight.device, weight.dtype)
    if inputs.ndim == 2:
        inputs = inputs[:, None]
    if inputs.ndim != 3 or inputs.shape[2] != network.inputs or 0 in inputs.shape:
        raise ValueError(
            f"inputs: expected (time steps, sequences, {network.inputs}), none of them 0; got {tuple(inputs.shape)}"
        )
    steps, batch = inputs.shape[:2]
    lengths = np.full(batch, steps) if lengths is None else _whole(lengths, "lengths")
    if lengths.shape != (batch,) or lengths.min() < 1 or lengths.max() > steps:
        raise ValueError(f"lengths: expected {batch} numbers from 1 to {steps}; got {lengths.tolist()!r:.80}")
    layout = Layout(lengths, _sources(sources, lengths, network.needs), _parents(parents, lengths, steps, network))
    within = torch.from_numpy(layout.within(steps)).to(weight.device)
    return torch.where(within[..., None], inputs, 0), layout, within


def _sources(sources, lengths: np.ndarray, needs: str) -> np.ndarray | None:
    if sources is None and needs != "source":
        return None
    found = _whole([] if sources is None else sources, "sources")
    if found.shape != lengths.shape or (found < 1).any() or (found >= lengths).any():
        raise ValueError(
            f"sources: expected {len(lengths)} numbers, each at least 1 and below the length of its sequence; "
            f"got {None if sources is None else found.tolist()!r:.80}"
        )
    return found


def _parents(parents, lengths: np.ndarray, steps: int, network: Network) -> np.ndarray | None:
    if parents is None and network.needs != "tree":
        return None
    found = _whole([] if parents is None else parents, "parents")
    whole = (steps, len(lengths))
    if found.shape != whole:
        got = None if parents is None else found.shape
        raise ValueError(f"parents: expected the parent of each node, {whole}; got {got}")
    t = np.arange(steps)[:, None]
    inner = t < lengths - 1
    if ((found <= t) | (found >= lengths))[inner].any() or (found[t == lengths - 1] != -1).any():
        raise ValueError("parents: expected children before their parents, and the root, whose parent is -1, at the end")
    found = np.where(inner, found, -1)
    of = (found * len(lengths) + np.arange(len(lengths)))[inner]
    most, allowed = np.bincount(of, minlength=1).max(), network.most_children
    if allowed is not None and most > allowed:
        raise ValueError(f"parents: expected at most {allowed} children of a node, as in the task; got {most}")
    return found


def _whole(numbers, name: str) -> np.ndarray:
    """A copy, as integers."""
    found = np.asarray(numbers)
    if found.size and found.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected whole numbers; got {found.tolist()!r:.80}")
    return found.astype(np.int64)


def as_tensor(values, name: str) -> Tensor:
    """A tensor as it is, anything else copied: arrays may be read-only. Raises ValueError for what holds no numbers."""
    if isinstance(values, Tensor):
        return values
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name}: expected an array of numbers; got {values!r:.80}")
    plain = {"u": np.int64, "f": np.float64 if array.dtype.itemsize > 8 else array.dtype}.get(array.dtype.kind, array.dtype)
    return torch.tensor(np.ascontiguousarray(array, np.dtype(plain).newbyteorder("=")))
