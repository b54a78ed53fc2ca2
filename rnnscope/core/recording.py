"""record(): run a model over sequences and keep everything; the only crossing from the device to numpy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.engines import ENGINES
from rnnscope.core.losses import LOSSES, total
from rnnscope.core.model import Model
from rnnscope.core.sequences import as_tensor, sequences_for
from rnnscope.core.tasks import Batch
from rnnscope.core.trace import Trace


def record(model: Model, inputs, targets=None, *, weights=None, lengths=None) -> Trace:
    """Every signal of every time step, outputs, loss per time step, and gradient norms per time step.

    inputs   (T, B, I) or one sequence (T, I); array or tensor
    targets  what is right at each time step, (T, B) classes or (T, B, O) values; or at the end only, (B,) or (B, O)
    weights  (T, B) how much each time step counts in the loss whose gradient is shown. By default targets given for each
             time step count equally, targets given for the end count at each sequence's last time step
    lengths  (B,) time steps of each sequence, T by default; what lies behind a sequence's end is NaN in the Trace
    Raises ValueError that names the argument whose shape does not fit. The model keeps its weights, mode and gradients.
    """
    inputs, lengths, within = sequences_for(model, inputs, lengths)
    steps, batch = within.shape
    if targets is not None:
        targets, weights = _targets(model, targets, weights, lengths, within)
    wanted = targets is not None
    states_wanted = model.cell.states
    taps = {name: inputs.new_zeros(steps, batch, model.cell.units).requires_grad_(wanted) for name in states_wanted}
    with torch.set_grad_enabled(wanted):
        run = ENGINES["reference"](model.cell, inputs, record=True, taps=taps)
        outputs = model.readout(run.states["hidden"])
        loss = gradients = None
        if wanted:
            loss = LOSSES[model.task.loss](outputs, targets)
            counted = total(torch.where(weights > 0, loss, 0), weights)
            raw = torch.autograd.grad(counted, list(taps.values()), materialize_grads=True)
            states = {name: value.detach() for name, value in run.states.items()}
            gradients = state_norms(model.cell, states, dict(zip(taps, raw, strict=True)))
    return _trace(model, inputs, outputs, run.signals, lengths, targets, loss, gradients)


def record_batch(model: Model, batch: Batch) -> Trace:
    """`record` on a Batch of arrays, as a task draws it."""
    return record(model, batch.inputs, batch.targets, weights=batch.weights, lengths=batch.lengths)


def state_norms(cell: Cell, states: Values, gradients: Values) -> Values:
    """Norms over units of a gradient with respect to each part of the state, and to the "state" as a whole.

    states, gradients  state -> (T, B, H); returns name -> (T, B) float64, with "state" in `Cell.coordinates`
    """
    norms = {name: squared_norm([value]).sqrt() for name, value in gradients.items()}
    return {"state": squared_norm(in_coordinates(cell, states, gradients).values()).sqrt()} | norms


def in_coordinates(cell: Cell, states: Values, gradients: Values) -> Values:
    """Pull gradients with respect to the raw state back to the cell's coordinates: coordinate -> (T, B, H)."""
    with torch.enable_grad():
        coordinates = {name: value.detach().requires_grad_() for name, value in cell.coordinates(states).items()}
        raw = cell.from_coordinates(coordinates, states)
        moved = [name for name, value in raw.items() if value.requires_grad]
        pulled = torch.autograd.grad(
            [raw[name] for name in moved], list(coordinates.values()), [gradients[name] for name in moved]
        )
    return dict(zip(coordinates, pulled, strict=True))


def squared_norm(parts: Iterable[Tensor]) -> Tensor:
    """Sum over units and parts of squares: (T, B, H) each to (T, B), in float64, where small gradients do not underflow."""
    return sum(_exact(part).square().sum(-1) for part in parts)


def _exact(part: Tensor) -> Tensor:
    return (part.cpu() if part.device.type == "mps" else part).double()  # MPS has no float64


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


def _trace(model, inputs, outputs, signals, lengths, targets, loss, gradients) -> Trace:
    behind = np.arange(len(inputs))[:, None] >= lengths
    kept = _to_numpy(signals, behind)
    return Trace(
        inputs=_to_numpy({"inputs": inputs}, behind)["inputs"],
        outputs=_to_numpy({"outputs": outputs}, behind)["outputs"],
        signals=kept,
        legend=dict(model.cell.signals),
        lengths=lengths,
        targets=None if targets is None else targets.cpu().numpy().copy(),
        loss=None if loss is None else _to_numpy({"loss": loss}, behind)["loss"],
        gradients=_to_numpy(gradients or {}, behind),
    )


def _to_numpy(values: Values, behind: np.ndarray) -> dict[str, np.ndarray]:
    """Copy to float32 arrays, NaN behind the end of each sequence. Waits for the device, once per field."""
    arrays = {}
    for name, value in values.items():
        array = value.detach().float().cpu().numpy().copy()
        array[behind] = np.nan
        arrays[name] = array
    return arrays
