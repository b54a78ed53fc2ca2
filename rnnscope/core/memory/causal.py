"""How much the answer changes when one earlier input was not what it was."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from torch import Tensor

from rnnscope.core.layout import Layout
from rnnscope.core.memory.connectivity import ends_of, own_features
from rnnscope.core.memory.portions import Between, nothing, that_fit
from rnnscope.core.model import Model
from rnnscope.core.networks import Chain
from rnnscope.core.reach import FLOOR, Reach

DRAWS = 4
WITHOUT_GRAPH = 6  # how many times less a run takes where nothing is kept for the way back
OVERFLOW = "its states overflow on these sequences, so nothing can be measured"


def causal(
    model: Model,
    inputs: Tensor,
    layout: Layout,
    chain: Chain,
    between: Between = nothing,
    *,
    lags: np.ndarray | None = None,
    draws: int = DRAWS,
) -> Reach | None:
    """Change of the output at T when x_(T-k) alone is replaced by what another sequence has there; None for trees.

    The change is the total variation distance, 0..1, between the probabilities of classes, else the Euclidean norm of the
    difference, in units of the output. It is averaged over `draws` other sequences (a fixed permutation, shifted: no input
    is replaced by its own), then over sequences: arithmetic means of distances, so the interval is that of the mean.
    What is put in is likely on its own; what tied it to its neighbours is lost. Lags at which all sequences have the same
    input are left out: nothing can be replaced there. Of two directions each is measured on its own, from the time step
    where it ends: by what changes in its half of what the readout sees, while the other half stays.

    lags  time steps, by default the first 32 that are not left out, then evenly on a log axis up to the second longest
          sequence, 64 in all
    The floor is rounding, 8 times the precision of the outputs; an input that is never used changes nothing, exactly, since
    both runs have the same shape. None with less than 2 sequences; raises ValueError when states overflow.
    """
    batch = len(layout.lengths)
    if chain.along == "tree" or batch < 2:
        return None
    lags, places, read = inputs_before(inputs, layout, chain, lags, fewest=2, dense=32, most=64)
    if not len(lags):
        return None
    others = _others(places >= 0, min(draws, batch - 1))
    given = read[np.arange(len(lags))[:, None], others]  # (D, K, B, I)
    size = that_fit(model, -(-len(inputs) // WITHOUT_GRAPH))
    parts = [slice(first, first + size) for first in range(0, batch, size)]
    changes, scales = np.zeros(others.shape), np.zeros(batch)
    for n, part in enumerate(parts):
        options = (layout.part(part), chain, places[:, part], given[:, :, part], size)
        for done in _measure(model, inputs[:, part], *options, changes[:, :, part], scales[part]):
            between((n + done) / len(parts))
    curves = np.where(places >= 0, changes.mean(0), np.nan)
    if not np.isfinite(curves[places >= 0]).all():
        raise ValueError(OVERFLOW)
    floor = max(FLOOR, 8 * torch.finfo(inputs.dtype).eps * np.sqrt(np.mean(scales**2)))
    return Reach.from_sequences("causal", curves, lags=lags, geometric=False, floor=floor)


def spread(count: int, dense: int, most: int) -> np.ndarray:
    """Of places 0..count-1: all below `dense`, then evenly on a log axis to the last one, `most` in all or a few less."""
    if count <= most:
        return np.arange(count)
    return np.unique(np.r_[np.arange(dense), np.round(np.geomspace(dense, count - 1, most - dense)).astype(int)])


def inputs_before(
    inputs: Tensor, layout: Layout, chain: Chain, lags: np.ndarray | None, *, fewest: int, dense: int, most: int
) -> tuple[np.ndarray, np.ndarray, Tensor]:
    """What sequences read at time steps before the end of a chain, at the lags where at least two of them differ.

    lags  by default those that at least `fewest` sequences have, thinned out as `spread` does
    Returns lags (K,), time steps (K, B), -1 where a sequence is too short, and inputs (K, B, I), which mean nothing there.
    """
    lengths, chosen = layout.lengths, lags
    longest = np.sort(lengths)[-fewest]
    lags = np.arange(longest) if chosen is None else np.asarray(chosen)[np.asarray(chosen) < longest]
    back = np.broadcast_to(lags[:, None], (len(lags), len(lengths)))
    places = np.where(back < lengths, back if chain.along == "backward" else lengths - 1 - back, -1)
    read = inputs[places, np.arange(len(lengths))]
    short = torch.as_tensor(places < 0, device=inputs.device)[..., None]
    differ = read.masked_fill(short, -torch.inf).amax(1) > read.masked_fill(short, torch.inf).amin(1)
    kept = np.flatnonzero(differ.any(-1).cpu().numpy())  # waits for the device
    kept = kept if chosen is not None else kept[spread(len(kept), dense, most)]
    return lags[kept], places[kept], read[kept]


def seen_at_end(model: Model, inputs: Tensor, layout: Layout, chain: Chain | None) -> Tensor:
    """What the readout sees where a chain ends, or all of them at the last time step: (B, W)."""
    with torch.no_grad():
        seen = model.network.run(inputs, layout).outputs
    return seen[ends_of(layout, chain), np.arange(len(layout.lengths))]


def _others(there: np.ndarray, draws: int) -> np.ndarray:
    """Other sequences that are long enough too, for each of those that are `there` (K, B): (draws, K, B)."""
    order = np.random.default_rng(0).permutation(there.shape[1])
    others = np.zeros((draws, *there.shape), np.int64)
    for k, draw in product(range(len(there)), range(draws)):
        able = order[there[k, order]]
        others[draw, k, able] = np.roll(able, 1 + draw % (len(able) - 1))
    return others


def _measure(
    model: Model, inputs: Tensor, layout: Layout, chain: Chain, places, given: Tensor, size: int, changes, scales
) -> Iterator[float]:
    """Fill in `changes` (D, K, b), how far outputs move with inputs `given` (D, K, b, I), and `scales` (b,), their norms.

    As many copies of the sequences as `size` allows run together, each with one replacement, and once as they are. Yields
    the share that is done, 0..1.
    """
    batch = given.shape[2]
    jobs = np.array(list(np.ndindex(*given.shape[:2])))
    copies = min(len(jobs), max(1, size // batch))
    each, own = np.tile(np.arange(batch), copies), own_features(model.network, chain)
    many = Layout(layout.lengths[each], None if layout.sources is None else layout.sources[each])
    before = seen_at_end(model, inputs[:, each], many, chain)
    as_it_is = _answers(model, before)
    scales[:] = as_it_is[:batch].norm(dim=-1).cpu()
    for first in range(0, len(jobs), copies):
        taken = np.minimum(first + np.arange(copies), len(jobs) - 1)  # the last ones again: the shape must not change
        draw, lag = jobs[taken].repeat(batch, axis=0).T
        rows, columns, replaced = places[lag, each], np.arange(len(each)), inputs[:, each]
        there = rows >= 0
        replaced[rows[there], columns[there]] = given[draw[there], lag[there], each[there]]
        after = before.clone()
        after[:, own] = seen_at_end(model, replaced, many, chain)[:, own]
        distances = (_answers(model, after) - as_it_is).cpu()  # waits for the device
        distances = distances.norm(dim=-1) if model.task.loss == "mean_squared_error" else distances.abs().sum(-1) / 2
        changes[tuple(jobs[taken].T)] = distances.reshape(copies, batch)
        yield min(1.0, (first + copies) / len(jobs))


def _answers(model: Model, seen: Tensor) -> Tensor:
    """Outputs (B, O), or the probabilities of classes (B, C)."""
    with torch.no_grad():
        outputs = model.readout(seen)
    outputs = outputs if outputs.device.type == "mps" else outputs.double()  # MPS has no float64
    if model.task.loss == "cross_entropy":
        return outputs.softmax(-1)
    if model.task.loss == "binary_cross_entropy":
        return torch.cat([outputs[:, :1].sigmoid(), (-outputs[:, :1]).sigmoid()], -1)
    return outputs
