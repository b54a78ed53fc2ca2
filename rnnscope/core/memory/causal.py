"""How much the answer changes when one earlier input, or all of them, were not what they were."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from torch import Tensor

from rnnscope.core.layout import Layout
from rnnscope.core.losses import LOSSES
from rnnscope.core.memory import portions
from rnnscope.core.memory.connectivity import ends_of, own_features
from rnnscope.core.memory.portions import Between, nothing
from rnnscope.core.model import Model
from rnnscope.core.networks import Chain
from rnnscope.core.reach import FLOOR, Reach

DRAWS = 4
FLOATS = 16  # of a run without a graph, per time step, sequence and unit
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
    difference in units of the output. It is averaged over `draws` other sequences (a fixed permutation, shifted: no input is
    replaced by its own), then over sequences: arithmetic means of distances, so the interval is that of the mean. Replaced
    inputs stay likely, each on its own; what ties them to their neighbours is lost. Lags at which all sequences have the
    same input are left out: nothing can be replaced there. Of two directions each is measured on its own, from the time step
    where it ends: what changes in its half of what the readout sees, while the other half stays.

    lags  time steps, by default all below 32, then evenly on a log axis up to the second longest sequence, 64 in all
    The floor is rounding, 8 times the precision of the outputs; inputs that are never used change nothing, exactly, because
    both runs have the same shape. None with less than 2 sequences; raises ValueError when states overflow.
    """
    batch = len(layout.lengths)
    if chain.along == "tree" or batch < 2:
        return None
    lags = spread(np.sort(layout.lengths)[-2] - 1, 32, 64) if lags is None else lags
    lags, places, read = inputs_before(inputs, layout, chain, lags)
    if not len(lags):
        return None
    others = _others(places >= 0, min(draws, batch - 1))
    given = read[np.arange(len(lags))[:, None], others]  # (D, K, B, I)
    size = _at_once(model, len(inputs))
    parts = [slice(first, first + size) for first in range(0, batch, size)]
    found = []
    for n, part in enumerate(parts):
        steps = _changes(model, inputs[:, part], layout.part(part), chain, places[:, part], given[:, :, part], size)
        for done, changes, scales in steps:
            between((n + done) / len(parts))
        found.append((changes, scales))
    changes, scales = (np.concatenate(values, axis=-1) for values in zip(*found, strict=True))
    if not np.isfinite(changes[:, places >= 0]).all():
        raise ValueError(OVERFLOW)
    floor = 8 * torch.finfo(inputs.dtype).eps * max(np.sqrt(np.mean(scales**2)), FLOOR)
    curves = np.where(places >= 0, changes.mean(0), np.nan)
    return Reach.from_sequences("causal", curves, lags=lags, geometric=False, floor=floor)


def context_loss(
    model: Model,
    inputs: Tensor,
    targets,
    layout: Layout,
    *,
    contexts: np.ndarray | None = None,
    between: Between = nothing,
) -> tuple[np.ndarray, np.ndarray]:
    """Loss at the last time step when only the last n inputs were read: n (N,), and losses (N, B) in units of the loss.

    The answers asked for are the same for every n (Khandelwal et al., Sharp nearby, fuzzy far away, ACL 2018); a sequence
    shorter than n is read whole. The network starts from its initial state in the middle of a sequence, which it has never
    seen in training: a loss that rises where context is cut may be this surprise and no lack of memory.

    targets   what is right at the end, (B,) classes or (B, O) values, or at each time step, (T, B) or (T, B, O)
    contexts  (N,) numbers n of time steps, by default all up to 8, then evenly on a log axis up to T, 32 in all
    Raises ValueError for a network that does not read forward in time only, and when states overflow.
    """
    network, lengths, steps = model.network, layout.lengths, len(inputs)
    if network.needs or any(chain.along != "forward" for chain in network.chains.values()):
        raise ValueError(f"context: expected a network that reads forward in time only, got the {network.name}")
    classes = model.task.loss != "mean_squared_error"
    targets = torch.as_tensor(targets, device=inputs.device, dtype=torch.long if classes else inputs.dtype)
    if targets.ndim == 3 - classes:
        targets = targets[lengths - 1, np.arange(len(lengths))]
    contexts = spread(lengths.max() - 1, 8, 32) + 1 if contexts is None else np.asarray(contexts)
    losses = np.empty((len(contexts), len(lengths)))
    for n, found in zip(contexts, losses, strict=True):
        kept, size = np.minimum(n, lengths), _at_once(model, n)
        rows = np.minimum(lengths - kept + np.arange(n)[:, None], steps - 1)  # (n, B), behind the end anything
        for first in range(0, len(lengths), size):
            each = np.arange(len(lengths))[first : first + size]
            outputs = _outputs(model, inputs[rows[:, each], each], Layout(kept[each]), None)
            found[each] = LOSSES[model.task.loss](model.readout(outputs)[None].detach(), targets[None, each])[0].cpu()
        between(float(np.searchsorted(contexts, n, "right") / len(contexts)))
    if not np.isfinite(losses).all():
        raise ValueError(OVERFLOW)
    return contexts, losses


def spread(last: int, dense: int, most: int) -> np.ndarray:
    """Lags from 0 to `last`: all below `dense`, then evenly on a log axis, `most` in all or a few less."""
    if last < most:
        return np.arange(last + 1)
    return np.unique(np.r_[np.arange(dense), np.round(np.geomspace(dense, last, most - dense)).astype(int)])


def inputs_before(inputs: Tensor, layout: Layout, chain: Chain, lags: np.ndarray) -> tuple[np.ndarray, np.ndarray, Tensor]:
    """What was read so many time steps before the end of a chain; lags at which that is the same everywhere are left out.

    Returns lags (K,), time steps (K, B), -1 where a sequence is too short, and inputs (K, B, I), of which these mean nothing.
    """
    lags, lengths = np.asarray(lags), layout.lengths
    back = np.broadcast_to(lags[:, None], (len(lags), len(lengths)))
    places = np.where(back < lengths, back if chain.along == "backward" else lengths - 1 - back, -1)
    read = inputs[places, np.arange(len(lengths))]
    short = torch.as_tensor(places < 0, device=inputs.device)[..., None]
    differ = read.masked_fill(short, -torch.inf).amax(1) > read.masked_fill(short, torch.inf).amin(
        1
    )  # waits for the device
    differ = differ.any(-1).cpu().numpy()
    return lags[differ], places[differ], read[torch.as_tensor(differ)]


def _others(there: np.ndarray, draws: int) -> np.ndarray:
    """Other sequences that are long enough too, for each of those that are `there` (K, B): (draws, K, B)."""
    order = np.random.default_rng(0).permutation(there.shape[1])
    others = np.zeros((draws, *there.shape), np.int64)
    for k, draw in product(range(len(there)), range(draws)):
        able = order[there[k, order]]
        others[draw, k, able] = np.roll(able, 1 + draw % (len(able) - 1))
    return others


def _at_once(model: Model, steps: int) -> int:
    """How many sequences may run together."""
    units = sum(cell.units for cell in model.network.layers.values())
    return max(1, portions.MEMORY // (steps * units * FLOATS * 4))


def _changes(
    model: Model, inputs: Tensor, layout: Layout, chain: Chain, places: np.ndarray, given: Tensor, size: int
) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Distances (D, K, b) of the outputs with one input replaced by those `given` (D, K, b, I), and how large they are (b,).

    As many copies of the sequences as `size` allows run together, each with one replacement, and once as they are. Yields
    the share that is done, 0..1, with the arrays in which it lies.
    """
    batch = given.shape[2]
    jobs = np.array(list(np.ndindex(*given.shape[:2])))
    copies = min(len(jobs), max(1, size // batch))
    each, own = np.tile(np.arange(batch), copies), own_features(model.network, chain)
    many = Layout(layout.lengths[each], None if layout.sources is None else layout.sources[each])
    before = _outputs(model, inputs[:, each], many, chain)
    as_it_is = _answers(model, before)
    changes, scales = np.empty(given.shape[:3]), as_it_is[:batch].norm(dim=-1).cpu().numpy()
    for first in range(0, len(jobs), copies):
        taken = np.minimum(first + np.arange(copies), len(jobs) - 1)  # the last ones again: the shape must not change
        draw, lag = jobs[taken].repeat(batch, axis=0).T
        rows, columns, replaced = places[lag, each], np.arange(len(each)), inputs[:, each]
        there = rows >= 0
        replaced[rows[there], columns[there]] = given[draw[there], lag[there], each[there]]
        after = before.clone()
        after[:, own] = _outputs(model, replaced, many, chain)[:, own]
        distances = (_answers(model, after) - as_it_is).cpu()  # waits for the device
        distances = distances.norm(dim=-1) if model.task.loss == "mean_squared_error" else distances.abs().sum(-1) / 2
        changes[tuple(jobs[taken].T)] = distances.reshape(copies, batch)
        yield min(1.0, (first + copies) / len(jobs)), changes, scales


def _outputs(model: Model, inputs: Tensor, layout: Layout, chain: Chain | None) -> Tensor:
    """What the readout sees where the chain ends: (B, W)."""
    with torch.no_grad():
        seen = model.network.run(inputs, layout).outputs
    return seen[ends_of(layout, chain), np.arange(len(layout.lengths))]


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
