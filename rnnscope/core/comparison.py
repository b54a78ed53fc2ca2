"""compare(): several models on the same sequences, measure by measure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from rnnscope.core.memory import MEASURES
from rnnscope.core.memory.alike import alike
from rnnscope.core.memory.portions import Between, nothing
from rnnscope.core.model import Model
from rnnscope.core.reach import QUICK, Reach
from rnnscope.core.sequences import as_tensor, sequences_for
from rnnscope.core.settings import choose as among
from rnnscope.core.tasks import Task
from rnnscope.core.threads import one_thread

if TYPE_CHECKING:
    import pandas

SEQUENCES = 64
LEARNED = frozenset({"decoding"})  # measures that fit something to the states: they need all the sequences there are
JUDGED = frozenset({"context_loss"})  # measures that judge the answers: they are given the targets


@dataclass(frozen=True, eq=False)
class Compared:
    """One model of a comparison, or several of a kind joined.

    `cell` and `task` are keys of CELLS and TASKS; `kind` is what models of a kind share: all settings but the seed.
    `reaches` is measure -> Reach, or "measure, direction" -> Reach where a network reads in both directions.
    """

    name: str
    cell: str
    task: str
    reaches: Mapping[str, Reach]
    kind: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Models measured on the same sequences."""

    models: tuple[Compared, ...]

    @property
    def kinds(self) -> tuple[Compared, ...]:
        """Models that differ by their seed alone, joined: their intervals are over models, too."""
        groups: dict[str, list[Compared]] = {}
        for model in self.models:
            groups.setdefault(model.kind or model.name, []).append(model)
        return tuple(_joined(group) for group in groups.values() if len(group) > 1)

    @property
    def frame(self) -> pandas.DataFrame:
        """One row for each model or kind and measure; lags in time steps, NaN beyond the last that was measured."""
        import pandas

        every = ((model, name, reach) for model in (*self.models, *self.kinds) for name, reach in model.reaches.items())
        return pandas.DataFrame([_row(*one) for one in every])

    @property
    def curves(self) -> pandas.DataFrame:
        """One row for each model or kind, measure and lag: mean, and low and high of its 95 % interval."""
        import pandas

        parts = [
            pandas.DataFrame({"model": model.name, "measure": name, **{part: getattr(reach, part) for part in CURVE}})
            for model in (*self.models, *self.kinds)
            for name, reach in model.reaches.items()
        ]
        return pandas.concat(parts or [pandas.DataFrame(columns=["model", "measure", *CURVE])], ignore_index=True)

    def json(self) -> str:
        """The document that `rnnscope compare --json` prints."""
        parts = {"models": self.models, "kinds": self.kinds}
        return json.dumps({part: [_as_table(one) for one in ones] for part, ones in parts.items()}, allow_nan=False)


CURVE = ("lags", "mean", "low", "high")


def compare(
    models: Mapping[str, Model] | list[Model],
    inputs=None,
    targets=None,
    *,
    measures: Iterable[str] = QUICK,
    lengths=None,
    sources=None,
    parents=None,
    sequences: int | None = None,
) -> Comparison:
    """Measure how far back each model carries information, all on the same sequences.

    models     name -> Model, or one or several Models, then named by cell
    inputs     (T, B, I) array or tensor; by default the first `sequences` of the first model's evaluation batch: SEQUENCES
               of them, or all for measures that learn to read the state
    targets    what is right for `inputs`, in the shapes that `context_loss` names, which needs it; by default that batch's
    measures   keys of MEASURES; by default those that take seconds at most
    lengths, sources, parents  how sequences lie in `inputs`, as in `record`
    Raises ValueError when a model cannot read the sequences of the first, SettingsError for an unknown measure.
    """
    models, measures = _named(models), _known(measures)
    first = next(iter(models.values()))
    layout = {"lengths": lengths, "sources": sources, "parents": parents}
    if inputs is None:
        if alone := [name for name, given in ({"targets": targets} | layout).items() if given is not None]:
            raise ValueError(f"{alone[0]}: expected inputs, too; without them the task's own sequences are measured")
        measure = partial(evaluated, task=first.task, measures=measures, sequences=sequences)
        channels = first.network.inputs
    else:
        inputs = as_tensor(inputs, "inputs")
        measure, channels = partial(reaches, inputs=inputs, targets=targets, measures=measures, **layout), inputs.shape[-1]
    for name, model in models.items():
        if model.network.inputs != channels:
            raise ValueError(
                f"{name}: reads {model.network.inputs} inputs a time step, the sequences of the comparison have "
                f"{channels}; compare models of one task"
            )
    return Comparison(tuple(_compared(name, model, measure) for name, model in models.items()))


def evaluated(
    model: Model, task: Task, measures: Iterable[str] = QUICK, sequences: int | None = None, between: Between = nothing
) -> dict[str, Reach]:
    """`reaches` on the first sequences of a task's evaluation batch, of which some measures need more than others."""
    whole, found = task.evaluation(), {}
    most = len(whole.lengths)
    if not 1 <= (sequences or 1) <= most:
        raise ValueError(f"sequences: expected 1 to {most}, got {sequences}")
    for measure in measures:
        batch = whole.first(sequences or (most if measure in LEARNED else min(SEQUENCES, most)))
        right = batch.targets if type(model.task) is type(task) else None
        found |= reaches(model, batch.inputs, right, measures=[measure], between=between, **vars(batch.layout))
    return found


def _named(models) -> dict[str, Model]:
    if isinstance(models, Model):
        models = [models]
    if not isinstance(models, Mapping):
        models = {f"{_cell_of(model)} {n}": model for n, model in enumerate(models, 1)}
    for name, model in models.items():
        if not isinstance(model, Model):
            raise TypeError(f"models: expected Model as rnnscope.load gives it, got {type(model).__name__} for {name}")
    if not models:
        raise ValueError("models: expected at least one, got none")
    return dict(models)


def _cell_of(model) -> str:
    return model.configuration.cell if isinstance(model, Model) else "model"


def _known(measures: Iterable[str]) -> tuple[str, ...]:
    measures = (measures,) if isinstance(measures, str) else tuple(measures)
    for name in measures:
        among(MEASURES, name, "measures")
    return measures


def reaches(
    model: Model,
    inputs,
    targets=None,
    *,
    measures: Iterable[str] = QUICK,
    lengths=None,
    sources=None,
    parents=None,
    between: Between = nothing,
) -> dict[str, Reach]:
    """The measures that have a meaning for `model`: measure -> Reach, or "measure, direction" -> Reach for each direction.

    In one thread and on the model's own engine, whose kernels are compiled first where they are missing: a model has the
    same numbers to the last bit whoever measures it on a machine.
    measures keys of MEASURES
    inputs   (T, B, I); lengths, sources and parents as in `record`, targets as in `compare`
    between  called now and then with the share of a measure that is done; what it raises ends the measurement
    """
    inputs, layout, _ = sequences_for(model, inputs, lengths, sources, parents)
    measured = {}
    with alike(model, between):
        for name, (direction, chain) in product(measures, model.network.chains.items()):
            judged = {"targets": targets} if name in JUDGED else {}
            reach = MEASURES[name](model, inputs, layout, chain, between, **judged)
            if reach is not None:
                measured[", ".join(filter(None, (name, direction)))] = replace(reach, along=chain.along)
    return measured


def _compared(name: str, model: Model, measure: Callable[[Model], dict[str, Reach]]) -> Compared:
    configuration = model.configuration
    try:
        measured = measure(model)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    kind = json.dumps(configuration.model_dump(mode="json", exclude={"training": {"seed"}}), sort_keys=True)
    return Compared(name, configuration.cell, configuration.task, measured, kind)


def _joined(group: list[Compared]) -> Compared:
    first = group[0]
    shared = [name for name in first.reaches if all(name in model.reaches for model in group)]
    with one_thread():
        reaches = {name: Reach.joined([model.reaches[name] for model in group]) for name in shared}
    return Compared(f"{first.cell} × {len(group)} seeds", first.cell, first.task, reaches, first.kind)


def _row(model: Compared, measure: str, reach: Reach) -> dict[str, object]:
    lags = {
        f"{name}{'' if part == 'value' else f'_{part}'}": np.nan if number is None else number
        for name, lag in (("lag50", reach.lag50), ("lag1", reach.lag1), ("total", reach.total))
        for part, number in asdict(lag).items()
    }
    law = asdict(reach.law) if reach.law else {}
    numbers = {f"law_{name}" if name in ("name", "share") else name: value for name, value in law.items()}
    counts = {"seeds": reach.curves.shape[1], "sequences": reach.curves.shape[2], "floor": reach.floor}
    return {"model": model.name, "cell": model.cell, "task": model.task, "measure": measure} | lags | numbers | counts


def _as_table(model: Compared) -> dict:
    measures = {
        name: {part: _numbers(getattr(reach, part)) for part in CURVE}
        | {part: getattr(reach, part) and asdict(getattr(reach, part)) for part in ("lag50", "lag1", "total", "law")}
        | {"floor": reach.floor, "seeds": reach.curves.shape[1], "sequences": reach.curves.shape[2]}
        for name, reach in model.reaches.items()
    }
    return {"name": model.name, "cell": model.cell, "task": model.task, "measures": measures}


def _numbers(values: np.ndarray) -> list:
    return [None if number != number else number for number in values.tolist()]
