"""How long a delay can be for a freshly trained model to solve its task all the same."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from weakref import WeakKeyDictionary

import numpy as np
import torch

from rnnscope.core.configuration import Configuration
from rnnscope.core.evaluation import score
from rnnscope.core.layout import Layout
from rnnscope.core.memory.portions import Between, nothing
from rnnscope.core.model import Model
from rnnscope.core.networks import Chain
from rnnscope.core.reach import DELAYS, SEEDS, Reach
from rnnscope.core.settings import limits, make
from rnnscope.core.tasks import Task
from rnnscope.core.training import Diverged, train

SETTINGS = ("delay", "length")  # of tasks, the first that a task has says how long it is
FAILURES = 2  # delays in a row that no seed solves, after which longer ones are not tried
Training = Generator[float, None, bool]
_begun: WeakKeyDictionary[Model, dict[str, Training | bool]] = WeakKeyDictionary()  # of models that have been measured


def solved_length(
    model: Model,
    inputs: torch.Tensor,
    layout: Layout,
    chain: Chain,
    between: Between = nothing,
    *,
    delays: Sequence[int] | None = None,
    seeds: int = SEEDS,
) -> Reach | None:
    """Share of seeds from which a fresh model of the same configuration learns its task at each delay, 0..1.

    The comparison of Hochreiter and Schmidhuber (Long short-term memory, 1997): the longest time lag that can be learned. A
    curve for each seed, from `training.seed` of the configuration on, is 1 where `task.solved` says so after
    `training.iterations` updates, and 0 where not; a training that diverges is judged by its last good weights. Lag 0, with
    nothing to remember, is 1 without a training: so lag50 is about the longest delay that most seeds still solve. None for
    a task that has neither delay nor length, and for all chains of a network but its first: they are trained together.

    A measurement that was ended goes on, when the same model is measured again, where it was: no training is lost.

    inputs and layout are not read: models are scored on the task's own evaluation batches, of each delay
    between  called after each update with the share that is done, 0..1; what it raises ends the measurement
    delays   increasing values of the task's delay or length in time steps; by default those of DELAYS that it can have.
             After FAILURES in a row that no seed solves the rest is left out of the curves
    Raises ValueError for delays that do not increase, and for fewer than 1 seed; SettingsError for a delay that the task
    cannot have.
    """
    task, configuration = model.task, model.configuration
    name = next((name for name in SETTINGS if name in type(task).model_fields), None)
    if name is None or chain != next(iter(model.network.chains.values())):
        return None
    tasks = _tasks(task, name, delays)
    if seeds < 1:
        raise ValueError(f"seeds: expected at least 1, got {seeds}")
    begun, solved = _begun.setdefault(model, {}), []
    for n, changed in enumerate(tasks.values()):
        solved.append([])
        for seed in range(seeds):
            before = n * seeds + seed
            fresh = _fresh(configuration, changed, seed)
            solved[-1].append(_solves(begun, fresh, lambda done, b=before: between((b + done) / (len(tasks) * seeds))))
        if not np.any(solved[-FAILURES:]) and len(solved) >= FAILURES:
            break
    between(1.0)
    curves = np.vstack([np.ones(seeds), solved])
    lags = np.array([0, *tasks][: len(curves)])
    return Reach.from_sequences("solved_length", curves, lags=lags, geometric=False)


def _tasks(task: Task, name: str, delays: Sequence[int] | None) -> dict[int, Task]:
    """The task at each delay; of the default ones those within its limits."""
    if delays is None:
        low, high = limits(type(task).model_fields[name])
        delays = [delay for delay in DELAYS if (low is None or low <= delay) and (high is None or delay <= high)]
    if not len(delays) or any(later <= before for before, later in zip([0, *delays], delays, strict=False)):
        raise ValueError(f"delays: expected numbers of time steps that increase, got {list(delays)!r:.80}")
    return {int(delay): make(type(task), task.model_dump() | {name: delay}) for delay in delays}


def _fresh(configuration: Configuration, task: Task, seed: int) -> Configuration:
    """Of a model of the same kind for another task and seed."""
    training = configuration.training.model_copy(update={"seed": configuration.training.seed + seed})
    return configuration.model_copy(update={"task_settings": task, "training": training})


def _solves(begun: dict[str, Training | bool], fresh: Configuration, between: Between) -> bool:
    """Whether a fresh model solves its task once it is trained, which goes on where it was if it has been `begun`."""
    key = fresh.model_dump_json()
    while not isinstance(begun.setdefault(key, _training(fresh)), bool):
        try:
            done = next(begun[key])
        except StopIteration as ended:
            begun[key] = ended.value
        except BaseException:
            del begun[key]
            raise
        else:
            between(done)
    return begun[key]


def _training(configuration: Configuration) -> Training:
    """Train a fresh model as its configuration says; yields the share that is done, and returns whether it is enough."""
    model = Model(configuration)
    try:
        for update in train(model):
            yield update.iteration / configuration.training.iterations
    except Diverged:
        yield 1.0
    return bool(model.task.solved(score(model)))
