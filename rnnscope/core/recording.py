"""record(): run a model over sequences and keep everything; the only crossing from the device to numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from rnnscope.core.cells.cell import Values
from rnnscope.core.choice import choose
from rnnscope.core.denormals import flushed
from rnnscope.core.engines.kernel_cache import prepare
from rnnscope.core.layout import Layout
from rnnscope.core.model import Model
from rnnscope.core.networks import Joined, Network
from rnnscope.core.pieces import Pieces
from rnnscope.core.sequences import as_tensor, sequences_for
from rnnscope.core.store import Store, size_of
from rnnscope.core.tasks import Batch
from rnnscope.core.trace import Array, Attended, Layer, Trace
from rnnscope.core.training import WORTH

Arrays = Mapping[str, Array]

PIECE = 2**24  # bytes of signals that are made at once
LEAST, MOST = 16, 4096  # time steps of a piece, whatever they take; and for the progress


def record(
    model: Model,
    inputs,
    targets=None,
    *,
    weights=None,
    lengths=None,
    sources=None,
    parents=None,
    between: Callable[[float], None] = lambda done: None,
) -> Trace:
    """Every signal of every time step, outputs, loss per time step, and gradient norms per time step, of every layer.

    inputs   (T, B, I) or one sequence (T, I); array or tensor
    targets  what is right at each time step, (T, B) classes or (T, B, O) values; or at the end only, (B,) or (B, O)
    weights  (T, B) how much each time step counts in the loss whose gradient is shown. By default targets given for each
             time step count equally, targets given for the end count at each sequence's last time step
    lengths  (B,) time steps of each sequence, T by default; what lies behind a sequence's end is NaN in the Trace
    sources, parents  how sources and trees lie in the inputs, as in `Layout`; needed by networks that read them
    between  called after each piece of the way with the share that is done, 0..1; what it raises ends the recording
    A stack goes through time in pieces of PIECE, there for the signals and back for the gradients, with the states between
    pieces in memory; other networks, and cells that keep time, go in one piece. Signals beyond `store.IN_MEMORY` lie in
    files, so that memory grows by what is held for each time step, and not for each unit as well. The model keeps its
    weights, mode and gradients.
    Raises ValueError that names the argument whose shape does not fit, OSError where there is no room for the files.
    """
    inputs, layout, within = sequences_for(model, inputs, lengths, sources, parents)
    if targets is not None:
        targets, weights = _targets(model, targets, weights, layout.lengths, within)
    network, steps, answers, norms = model.network, len(inputs), {}, {shown: {} for shown in model.network.shown}
    silent = ~network.active(network.names[-1], layout, steps)
    with _store(network, *inputs.shape[:2]) as store, flushed(), _compiled(model, steps):
        pieces = Pieces(model, inputs, layout, targets, weights, _length(network, store, steps))
        count = len(pieces.spans)
        parts = count * (1 if targets is None else 2)
        for n, piece in enumerate(pieces.there(), 1):
            signals = {name: ran.signals for name, ran in piece.joined.layers.items()}
            store.write(piece.span.start, _shown(network, layout, steps, piece.span, signals))
            _fill(answers, steps, piece.span, _to_numpy(piece.answers, silent[piece.span]))
            between(n / parts)
        for n, (span, found) in enumerate(pieces.back(), count + 1):
            for shown, part in _shown(network, layout, steps, span, found).items():
                _fill(norms[shown], steps, span, part)
            between(n / parts)
    return Trace(
        **_to_numpy({"inputs": inputs}, ~layout.within(steps)),
        **answers,
        layers=_layers(network, store.signals(), norms),
        layer=next(name for name, parts in network.shown.items() if parts[0] in _along(network)),
        targets=None if targets is None else targets.cpu().numpy(),
        attended=_attended(piece.joined, layout),
        store=store,
        **vars(layout),
    )


def record_batch(model: Model, batch: Batch, between: Callable[[float], None] = lambda done: None) -> Trace:
    """`record` on a Batch of arrays, as a task draws it."""
    return record(model, batch.inputs, batch.targets, weights=batch.weights, between=between, **vars(batch.layout))


def _store(network: Network, steps: int, batch: int) -> Store:
    """Where the signals of all layers go."""
    kinds = {shown: network.layers[first] for shown, (first, *_) in network.shown.items()}
    shapes = {shown: (len(cell.signals), batch, steps, cell.units) for shown, cell in kinds.items()}
    return Store.of({shown: tuple(cell.signals) for shown, cell in kinds.items()}, shapes)


def _length(network: Network, store: Store, steps: int) -> int:
    """Time steps of a piece."""
    if not network.resumes:
        return steps
    return min(max(LEAST, PIECE * steps // size_of(store.shapes)), MOST)


@contextmanager
def _compiled(model: Model, steps: int) -> Iterator[None]:
    """Within, long sequences find kernels, which are waited for, also where no engine has been chosen yet."""
    network, before = model.network, model.network.engine
    if steps >= WORTH:
        network.engine = before or choose(model, wait=False)
    if steps >= WORTH and network.engine != "reference" and model.device.type == "cpu":
        for cell in network.cells:
            prepare(cell, model.readout.weight.dtype, wait=True)
    try:
        yield
    finally:
        network.engine = before


def _targets(model, targets, weights, lengths, within) -> tuple[Tensor, Tensor]:
    """Targets and weights for every time step, both 0 behind the end of a sequence."""
    dtype, (steps, batch) = model.readout.weight.dtype, within.shape
    targets = as_tensor(targets, "targets").detach().to(model.device)
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
    weights = as_tensor(weights, "weights").detach().to(model.device, dtype)
    if weights.shape != (steps, batch):
        raise ValueError(f"weights: expected {(steps, batch)}; got {tuple(weights.shape)}")
    targets = torch.where(within if classes else within[..., None], targets, 0)
    return targets, torch.where(within, weights, 0)


def _check_classes(targets: Tensor, count: int) -> None:
    """Waits for the device."""
    wrong = targets[(targets < 0) | (targets >= count) | (targets != targets.round())]
    if len(wrong):
        raise ValueError(f"targets: expected classes 0 to {count - 1}, got {wrong[0].item()}")


def _shown(
    network: Network, layout: Layout, steps: int, span: slice, values: Mapping[str, Values]
) -> dict[str, dict[str, Array]]:
    """Values of layers, in the time steps `span`, as a Trace shows them: where several are one, each where it works."""
    behind, found = ~layout.within(steps)[span], {}
    for shown, (first, *others) in network.shown.items():
        found[shown] = whole = _to_numpy(values[first], behind)
        for name in others:
            working = network.active(name, layout, steps)[span]
            for key, array in _to_numpy(values[name], ~working).items():
                whole[key] = np.where(working.reshape(*working.shape, *[1] * (array.ndim - 2)), array, whole[key])
    return found


def _layers(network: Network, signals: Mapping[str, Arrays], norms: Mapping[str, Arrays]) -> dict[str, Layer]:
    """Layers as a Trace shows them, from their signals and gradient norms."""
    along, kinds = _along(network), network.layers
    return {
        shown: Layer(signals[shown], kinds[first].signals, norms[shown], along.get(first, "forward"))
        for shown, (first, *_) in network.shown.items()
    }


def _along(network: Network) -> dict[str, str]:
    """The way in which memory flows, of the layers that have any."""
    return {name: chain.along for chain in network.chains.values() for name in chain.layers}


def _fill(arrays: dict[str, Array], steps: int, span: slice, values: Arrays) -> None:
    """Put values (C, B, ..) into arrays of all time steps, made at the first call: small ones would scatter memory."""
    for name, value in values.items():
        if name not in arrays:
            arrays[name] = np.empty((steps, *value.shape[1:]), np.float32)
        arrays[name][span] = value


def _attended(joined: Joined, layout: Layout) -> Attended | None:
    if joined.attended is None:
        return None
    weights = joined.attended.detach().float().cpu().numpy().copy()  # (Q, T, B)
    asked = np.arange(len(weights))[:, None] < layout.lengths - joined.first_query
    weights[~np.broadcast_to(asked[:, None], weights.shape)] = np.nan
    return Attended(weights, joined.first_query)


def _to_numpy(values: Values, idle: np.ndarray) -> dict[str, Array]:
    """Float32 arrays, NaN at the `idle` (T, B) time steps; perhaps the values' own memory. Waits for the device."""
    arrays = {}
    for name, value in values.items():
        array = value.detach().float().cpu().numpy()
        if idle.any():
            array = array.copy()
            array[idle] = np.nan
        arrays[name] = array
    return arrays
