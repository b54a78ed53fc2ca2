"""How much worse the last answer is when only the end of a sequence was read."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rnnscope.core.layout import Layout
from rnnscope.core.losses import LOSSES
from rnnscope.core.memory.causal import OVERFLOW, WITHOUT_GRAPH, seen_at_end, spread
from rnnscope.core.memory.portions import Between, nothing, that_fit
from rnnscope.core.model import Model
from rnnscope.core.networks import Chain
from rnnscope.core.reach import FLOOR, Reach
from rnnscope.core.sequences import as_tensor


def context_loss(
    model: Model,
    inputs: Tensor,
    layout: Layout,
    chain: Chain,
    between: Between = nothing,
    *,
    targets=None,
    lags: np.ndarray | None = None,
) -> Reach | None:
    """Loss at T when only x_(T-k)..x_T were read, beyond the loss when all were: what the inputs before T-k are good for.

    The answers asked for are the same at every lag (Khandelwal et al., Sharp nearby, fuzzy far away, ACL 2018). In units of
    the loss; below 0 where the model does better without. The arithmetic mean over sequences, each as far back as it goes,
    where it is read whole and nothing is left. The network starts from its initial state in the middle of a sequence, which
    it has never seen in training: what is lost may be this surprise and no lack of memory. The clocks of a clockwork
    RNN begin anew there, too.

    targets  what is right at the end, (B,) classes or (B, O) values, or at each time step, (T, B) or (T, B, O)
    lags     time steps, by default the first 32, then evenly on a log axis up to the longest sequence, 64 in all
    The floor is rounding: how far losses move when outputs are larger by 8 times their precision. None without targets, and
    for a network that does not read forward in time only. Raises ValueError for targets that the model's loss cannot be
    taken of, and when states overflow.
    """
    network, lengths = model.network, layout.lengths
    if targets is None or network.needs or any(one.along != "forward" for one in network.chains.values()):
        return None
    targets = _at_end(model, as_tensor(targets, "targets").detach().cpu(), layout, len(inputs))
    lags = spread(lengths.max(), 32, 64) if lags is None else np.asarray(lags)[np.asarray(lags) < lengths.max()]
    cut = np.union1d(lags, lengths.max() - 1)
    losses, moved = np.empty((2, len(cut), len(lengths)))
    eight = 8 * torch.finfo(inputs.dtype).eps
    for k, lag in enumerate(cut):
        kept, size = np.minimum(lag + 1, lengths), that_fit(model, -(-(lag + 1) // WITHOUT_GRAPH))
        rows = np.minimum(lengths - kept + np.arange(lag + 1)[:, None], len(inputs) - 1)  # behind the end anything
        for first in range(0, len(lengths), size):
            each = np.arange(len(lengths))[first : first + size]
            with torch.no_grad():
                seen = seen_at_end(model, inputs[rows[:, each], each], Layout(kept[each]), None)
                outputs = model.readout(seen).cpu().double()  # waits for the device
            losses[k, each], moved[k, each] = (
                LOSSES[model.task.loss](found[None], targets[None, each])[0] for found in (outputs, outputs * (1 + eight))
            )
            between((k + min(1.0, (first + size) / len(lengths))) / len(cut))
    if not np.isfinite(losses).all():
        raise ValueError(OVERFLOW)
    curves = np.where(lags[:, None] < lengths, losses[np.isin(cut, lags)] - losses[-1], np.nan)
    floor = max(FLOOR, float(np.sqrt(np.mean((moved - losses) ** 2))))
    return Reach.from_sequences("context_loss", curves, lags=lags, geometric=False, floor=floor)


def _at_end(model: Model, targets: Tensor, layout: Layout, steps: int) -> Tensor:
    """Targets at the last time step of each sequence: (B,) classes or (B, O) values in float64."""
    values, batch, outputs = model.task.loss == "mean_squared_error", len(layout.lengths), model.readout.out_features
    each = (batch, outputs) if values else (batch,)
    if tuple(targets.shape) not in (each, (steps, *each)):
        raise ValueError(f"targets: expected shape {each} or {(steps, *each)}, got {tuple(targets.shape)}")
    if targets.ndim > len(each):
        targets = targets[layout.lengths - 1, np.arange(batch)]
    if values:
        if targets.is_complex() or not targets.isfinite().all():
            raise ValueError(f"targets: expected finite numbers, got {targets.tolist()!r:.80}")
        return targets.double()
    classes = max(2, outputs)
    if targets.is_floating_point() or targets.is_complex() or targets.min() < 0 or targets.max() >= classes:
        raise ValueError(f"targets: expected whole numbers from 0 to {classes - 1}, got {targets.tolist()!r:.80}")
    return targets.long()
