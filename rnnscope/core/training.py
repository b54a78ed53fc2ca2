"""train(): a generator of Update, one per optimiser iteration; knows nothing of threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rnnscope.core.choice import choose
from rnnscope.core.denormals import flushed
from rnnscope.core.losses import LOSSES, total
from rnnscope.core.model import Model
from rnnscope.core.settings import SettingsError
from rnnscope.core.snapshots import due, weights_of
from rnnscope.core.tasks import Batch

WORTH = 20_000  # time steps of a whole training from which on missing kernels are waited for
LOOK_EVERY = 64  # iterations between looks at a GPU's finite flag: each look waits for the device


@dataclass(frozen=True, eq=False)
class Update:
    """What one iteration did. The two scalars are 0-d tensors still on the device; reading one waits for it."""

    iteration: int
    loss: Tensor
    gradient_norm: Tensor


class Diverged(ArithmeticError):
    """Loss or gradient became NaN or infinite. The model holds the weights of the last iteration that was finite."""

    def __init__(self, iteration: int):
        super().__init__(
            f"the loss or its gradient became NaN or infinite at iteration {iteration}; the last good weights are kept. "
            "A lower learning rate or a smaller clip may help"
        )
        self.iteration = iteration


def choose_device(name: str) -> torch.device:
    """The device for "auto", "cpu", "cuda" or "mps"; SettingsError if this machine has none of that kind."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if present[kind])
    if not present[name]:
        raise SettingsError(f"device: {name} is not available on this machine; use auto or cpu")
    return torch.device(name)


def train(model: Model, *, wait: bool = True) -> Iterator[Update]:
    """Train `model` in place on its own task with its own settings, yielding after every iteration.

    Adam (Kingma and Ba 2015) with the gradient scaled to at most `clip`. Batches come from the seed: the same seed on CPU,
    with the same engine, gives the same losses. A model that has been trained before goes on with batches it has not seen.

    wait  have missing kernels compiled first if the training is long; otherwise it begins at once with what is there
    Raises Diverged when loss or gradient stops being finite, with the last good weights back in the model.
    """
    settings = model.configuration.training
    device = choose_device(settings.device)
    model.to(device).train()
    loss_of = LOSSES[model.task.loss]
    random = np.random.default_rng([settings.seed, len(model.history)])
    parameters = list(model.parameters())
    optimiser = torch.optim.Adam(parameters, lr=settings.learning_rate)
    guard = _Guard(parameters)
    for iteration in range(1, settings.iterations + 1):
        batch = on_device(model.task.draw(random, settings.batch), device)
        if iteration == 1:
            model.network.engine = choose(model, wait and settings.iterations * len(batch.inputs) >= WORTH)
        optimiser.zero_grad()
        with flushed():
            outputs = model(batch.inputs.to(parameters[0].dtype), batch.layout)
            loss = total(loss_of(outputs, batch.targets), batch.weights)
            loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
        guard.watch(iteration, loss.detach(), norm)
        if device.type == "cpu" or iteration % LOOK_EVERY == 0 or iteration == settings.iterations:
            guard.check()
        optimiser.step()
        yield Update(iteration, loss.detach(), norm)


def with_snapshots(model: Model, updates: Iterator[Update]) -> Iterator[Update]:
    """The updates of `train(model)`, with weights kept in `model.snapshots`: before the first update, and when one is due.

    >>> for update in with_snapshots(model, train(model)): ...  # doctest: +SKIP

    Iterations count on from the model's history. When the loss stops being finite, what came after the weights that are
    put back goes.
    """
    start = len(model.history)
    model.snapshots = model.snapshots.added(start, weights_of(model))
    try:
        for update in updates:
            iteration = start + update.iteration
            if due(iteration, model.snapshots.per_octave):
                model.snapshots = model.snapshots.added(iteration, weights_of(model))
            yield update
    except Diverged as error:
        model.snapshots = model.snapshots.before(start + max(error.iteration - 1, 1))
        raise


def scalars(updates: Sequence[Update]) -> tuple[np.ndarray, np.ndarray]:
    """Losses and gradient norms, (iterations,) float32 each, copied from the device at once. Waits for the device."""
    if not updates:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    pairs = [torch.stack([update.loss, update.gradient_norm]) for update in updates]
    both = torch.stack(pairs).float().cpu().numpy()  # (n, 2)
    return both[:, 0].copy(), both[:, 1].copy()


def on_device(batch: Batch, device: torch.device) -> Batch:
    """The batch with tensors on `device` in place of arrays; its layout stays."""
    arrays = (batch.inputs, batch.targets, batch.weights)
    tensors = (torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays)
    return Batch(*tensors, batch.lengths, batch.sources, batch.parents)


class _Guard:
    """Keeps the weights of the last finite iteration, without waiting for the device until `check`."""

    def __init__(self, parameters: list[Tensor]):
        self.parameters = parameters
        self.good = [parameter.detach().clone() for parameter in parameters]
        self.first_bad = torch.zeros((), dtype=torch.int64, device=parameters[0].device)

    def watch(self, iteration: int, loss: Tensor, norm: Tensor) -> None:
        broken = ~(torch.isfinite(loss) & torch.isfinite(norm))
        self.first_bad = torch.where(broken & (self.first_bad == 0), iteration, self.first_bad)
        lost = self.first_bad > 0
        for good, parameter in zip(self.good, self.parameters, strict=True):
            good.copy_(torch.where(lost, good, parameter.detach()))

    def check(self) -> None:
        iteration = int(self.first_bad)  # waits for the device
        if not iteration:
            return
        with torch.no_grad():
            for good, parameter in zip(self.good, self.parameters, strict=True):
                parameter.copy_(good)
        raise Diverged(iteration)
