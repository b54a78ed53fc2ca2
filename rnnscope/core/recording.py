"""record(): run a model over sequences and keep everything; the only crossing from the device to numpy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.engines import ENGINES
from rnnscope.core.losses import LOSSES, total
from rnnscope.core.model import Model
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
    inputs = _inputs(model, inputs)
    steps, batch = inputs.shape[:2]
    lengths = _lengths(lengths, steps, batch)
    if targets is not None:
        targets, weights = _targets(model, targets, weights, lengths, steps, batch)
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
            raw = torch.autograd.grad(counted, list(taps.values()))
            states = {name: value.detach() for name, value in run.states.items()}
            gradients = state_norms(model.cell, states, dict(zip(taps, raw, strict=True)))
    return _trace(model, inputs, outputs, run.signals, lengths, targets, loss, gradients)


def state_norms(cell: Cell, states: Values, gradients: Values) -> Values:
    """Norms over units of a gradient with respect to each part of the state, and to the "state" as a whole.

    states, gradients  state -> (T, B, H); returns name -> (T, B) float64, with "state" in `Cell.coordinates`
    """
    norms = {name: _norm([value]) for name, value in gradients.items()}
    return {"state": _norm(in_coordinates(cell, states, gradients).values())} | norms


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


def _norm(parts) -> Tensor:
    return sum(part.double().square().sum(-1) for part in parts).sqrt()


def _inputs(model: Model, inputs) -> Tensor:
    weight = model.cell.weight_x
    inputs = torch.as_tensor(inputs).detach().to(weight.device, weight.dtype)
    if inputs.ndim == 2:
        inputs = inputs[:, None]
    if inputs.ndim != 3 or inputs.shape[2] != model.cell.inputs or 0 in inputs.shape:
        raise ValueError(
            f"inputs: expected (time steps, sequences, {model.cell.inputs}), none of them 0; got {tuple(inputs.shape)}"
        )
    return inputs


def _lengths(lengths, steps: int, batch: int) -> np.ndarray:
    lengths = np.full(batch, steps) if lengths is None else np.asarray(lengths)
    if lengths.shape != (batch,) or lengths.min() < 1 or lengths.max() > steps:
        raise ValueError(f"lengths: expected {batch} numbers from 1 to {steps}; got {lengths.tolist()!r:.80}")
    return lengths


def _targets(model, targets, weights, lengths, steps, batch) -> tuple[Tensor, Tensor]:
    dtype = model.readout.weight.dtype
    targets = torch.as_tensor(targets).detach().to(model.device)
    classes = model.task.loss != "mean_squared_error"
    whole = (steps, batch) if classes else (steps, batch, model.task.outputs)
    each_step = targets.shape == whole
    if not each_step and targets.shape != whole[1:]:
        raise ValueError(f"targets: expected {whole} or {whole[1:]} for the end only; got {tuple(targets.shape)}")
    targets = targets.expand(whole)
    targets = targets.long() if classes else targets.to(dtype)
    if weights is None:
        t = np.arange(steps)[:, None]
        weights = t < lengths if each_step else t == lengths - 1
    weights = torch.as_tensor(weights).detach().to(model.device, dtype)
    if weights.shape != (steps, batch):
        raise ValueError(f"weights: expected {(steps, batch)}; got {tuple(weights.shape)}")
    return targets, weights


def _trace(model, inputs, outputs, signals, lengths, targets, loss, gradients) -> Trace:
    behind = np.arange(len(inputs))[:, None] >= lengths
    kept = _to_numpy(signals, behind)
    return Trace(
        inputs=_to_numpy({"inputs": inputs}, behind)["inputs"],
        outputs=_to_numpy({"outputs": outputs}, behind)["outputs"],
        signals=kept,
        legend=dict(model.cell.signals),
        lengths=lengths,
        targets=None if targets is None else targets.cpu().numpy(),
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
