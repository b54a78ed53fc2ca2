"""record(): run a model over sequences and keep everything; the only crossing from the device to numpy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from rnnscope.core.cells.cell import Values
from rnnscope.core.denormals import flushed
from rnnscope.core.engines import NORMS
from rnnscope.core.layout import Layout
from rnnscope.core.losses import LOSSES, total
from rnnscope.core.model import Model
from rnnscope.core.networks import Joined, Network
from rnnscope.core.sequences import as_tensor, sequences_for
from rnnscope.core.tasks import Batch
from rnnscope.core.trace import Attended, Layer, Trace


def record(model: Model, inputs, targets=None, *, weights=None, lengths=None, sources=None, parents=None) -> Trace:
    """Every signal of every time step, outputs, loss per time step, and gradient norms per time step, of every layer.

    inputs   (T, B, I) or one sequence (T, I); array or tensor
    targets  what is right at each time step, (T, B) classes or (T, B, O) values; or at the end only, (B,) or (B, O)
    weights  (T, B) how much each time step counts in the loss whose gradient is shown. By default targets given for each
             time step count equally, targets given for the end count at each sequence's last time step
    lengths  (B,) time steps of each sequence, T by default; what lies behind a sequence's end is NaN in the Trace
    sources, parents  how sources and trees lie in the inputs, as in `Layout`; needed by networks that read them
    Raises ValueError that names the argument whose shape does not fit. The model keeps its weights, mode and gradients.
    """
    inputs, layout, within = sequences_for(model, inputs, lengths, sources, parents)
    wanted, layers = targets is not None, model.network.layers
    if wanted:
        targets, weights = _targets(model, targets, weights, layout.lengths, within)
    taps = taps_for(model.network, layers, inputs) if wanted else None
    with torch.set_grad_enabled(wanted), flushed():
        ran = model.network.run(inputs, layout, record=True, taps=taps)
        outputs = model.readout(ran.outputs)
        loss, gradients = None, {name: {} for name in layers}
        if wanted:
            loss = LOSSES[model.task.loss](outputs, targets)
            gradients = _gradients(model.network, taps, total(torch.where(weights > 0, loss, 0), weights))
    return _trace(model, layout, ran, gradients, inputs=inputs, outputs=outputs, loss=loss, targets=targets)


def record_batch(model: Model, batch: Batch) -> Trace:
    """`record` on a Batch of arrays, as a task draws it."""
    layout = vars(batch.layout)
    return record(model, batch.inputs, batch.targets, weights=batch.weights, **layout)


def taps_for(network: Network, layers: Iterable[str], inputs: Tensor) -> dict[str, Values]:
    """What to attach to the states of all layers; those of `layers` want the norms of their gradients."""
    dtype = torch.float32 if inputs.device.type == "mps" else torch.float64  # MPS has no float64
    return {
        name: {NORMS: inputs.new_zeros(*inputs.shape[:2], 1 + len(cell.states), dtype=dtype).requires_grad_(name in layers)}
        for name, cell in network.layers.items()
    }


def _gradients(network: Network, taps: dict[str, Values], loss: Tensor) -> dict[str, Values]:
    """Norms of the gradient of `loss` for each layer, in one backward pass."""
    found = torch.autograd.grad(loss, [tap[NORMS] for tap in taps.values()], materialize_grads=True)
    return {
        name: dict(zip(("state", *network.layers[name].states), norms.unbind(-1), strict=True))
        for name, norms in zip(taps, found, strict=True)
    }


def _targets(model, targets, weights, lengths, within) -> tuple[Tensor, Tensor]:
    """Targets and weights for every time step, both 0 behind the end of a sequence."""
    dtype, (steps, batch) = model.readout.weight.dtype, within.shape
    targets = as_tensor(targets).detach().to(model.device)
    classes = model.task.loss != "mean_squared_error"
    whole = (steps, batch) if classes else (steps, batch, model.task.outputs)
    each_step = targets.shape == whole
    if not each_step and targets.shape != whole[1:]:
        raise ValueError(f"targets: expected {whole} or {whole[1:]} for the end only; got {tuple(targets.shape)}")
    targets = targets.expand(whole)
    if classes:
        _check_classes(targets[within], max(2, model.task.outputs))
    targets = targets.long() if classes else targets.to(dtype)
    if weights is None:
        t = np.arange(steps)[:, None]
        weights = t < lengths if each_step else t == lengths - 1
    weights = as_tensor(weights).detach().to(model.device, dtype)
    if weights.shape != (steps, batch):
        raise ValueError(f"weights: expected {(steps, batch)}; got {tuple(weights.shape)}")
    targets = torch.where(within if classes else within[..., None], targets, 0)
    return targets, torch.where(within, weights, 0)


def _check_classes(targets: Tensor, count: int) -> None:
    """Waits for the device."""
    wrong = targets[(targets < 0) | (targets >= count) | (targets != targets.round())]
    if len(wrong):
        raise ValueError(f"targets: expected classes 0 to {count - 1}, got {wrong[0].item()}")


def _trace(model: Model, layout: Layout, ran: Joined, gradients: dict[str, Values], **values: Tensor | None) -> Trace:
    network, steps = model.network, len(ran.outputs)
    behind = ~layout.within(steps)
    silent = ~network.active(network.names[-1], layout, steps)
    inputs, targets = values.pop("inputs"), values.pop("targets")
    along = {name: chain.along for chain in network.chains.values() for name in chain.layers}
    layers = {}
    for shown, (first, *others) in network.shown.items():
        signals, norms = _to_numpy(ran.layers[first].signals, behind), _to_numpy(gradients[first], behind)
        for name in others:
            working = network.active(name, layout, steps)
            for whole, part in ((signals, ran.layers[name].signals), (norms, gradients[name])):
                for key, array in _to_numpy(part, behind).items():
                    whole[key][working] = array[working]
        layers[shown] = Layer(signals, network.layers[first].signals, norms, along.get(first, "forward"))
    attended = None
    if ran.attended is not None:
        weights = ran.attended.detach().float().cpu().numpy().copy()  # (Q, T, B)
        asked = np.arange(len(weights))[:, None] < layout.lengths - ran.first_query
        weights[~np.broadcast_to(asked[:, None], weights.shape)] = np.nan
        attended = Attended(weights, ran.first_query)
    return Trace(
        layers=layers,
        layer=next(name for name, parts in network.shown.items() if parts[0] in along),
        targets=None if targets is None else targets.cpu().numpy().copy(),
        attended=attended,
        **vars(layout),
        **_to_numpy({"inputs": inputs}, behind),
        **_to_numpy({name: value for name, value in values.items() if value is not None}, silent),
    )


def _to_numpy(values: Values, idle: np.ndarray) -> dict[str, np.ndarray]:
    """Copy to float32 arrays, NaN at the `idle` (T, B) time steps. Waits for the device, once per field."""
    arrays = {}
    for name, value in values.items():
        array = value.detach().float().cpu().numpy().copy()
        array[idle] = np.nan
        arrays[name] = array
    return arrays
