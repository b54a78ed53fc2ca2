"""compare(): several models on the same sequences, measure by measure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rnnscope.core.memory import MEASURES
from rnnscope.core.memory.portions import Between, nothing
from rnnscope.core.model import Model
from rnnscope.core.reach import Reach

SEQUENCES = 64


@dataclass(frozen=True, eq=False)
class Compared:
    """One model of a comparison. `cell` and `task` are keys of CELLS and TASKS; `reaches` is measure -> Reach."""

    name: str
    cell: str
    task: str
    reaches: Mapping[str, Reach]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Models measured on the same sequences."""

    models: tuple[Compared, ...]

    def json(self) -> str:
        """The table that `rnnscope compare --json` prints."""
        return json.dumps({"models": [_as_table(model) for model in self.models]}, allow_nan=False)


def compare(models: Mapping[str, Model] | list[Model], inputs=None, *, sequences: int = SEQUENCES) -> Comparison:
    """Measure how far back each model carries information, all on the same sequences.

    models     name -> Model, or one or several Models, then named by cell
    inputs     (T, B, I) array or tensor; by default the first `sequences` of the first model's evaluation batch
    Raises ValueError when a model cannot read the sequences of the first.
    """
    models = _named(models)
    first = next(iter(models.values()))
    if inputs is None:
        batch = first.task.evaluation()
        if not 1 <= sequences <= len(batch.lengths):
            raise ValueError(f"sequences: expected 1 to {len(batch.lengths)}, got {sequences}")
        batch = batch.first(sequences)
        inputs, lengths = batch.inputs, batch.lengths
    else:
        lengths = None
    inputs = np.asarray(inputs) if not hasattr(inputs, "shape") else inputs
    for name, model in models.items():
        if model.cell.inputs != inputs.shape[-1]:
            raise ValueError(
                f"{name}: reads {model.cell.inputs} inputs a time step, the sequences of the comparison have "
                f"{inputs.shape[-1]}; compare models of one task"
            )
    return Comparison(tuple(_measure(name, model, inputs, lengths) for name, model in models.items()))


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


def reaches(model: Model, inputs, lengths=None, between: Between = nothing) -> dict[str, Reach]:
    """All measures that have a meaning for `model`, on inputs (T, B, I) with (B,) lengths: measure -> Reach.

    between  called now and then with the share of a measure that is done; what it raises ends the measurement
    """
    measured = {name: measure(model, inputs, lengths, between) for name, measure in MEASURES.items()}
    return {name: reach for name, reach in measured.items() if reach is not None}


def _measure(name: str, model: Model, inputs, lengths) -> Compared:
    configuration = model.configuration
    try:
        measured = reaches(model, inputs, lengths)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return Compared(name, configuration.cell, configuration.task, measured)


def _as_table(model: Compared) -> dict:
    measures = {
        name: {
            "lags": reach.lags.tolist(),
            "mean": reach.mean.tolist(),
            "low": reach.low.tolist(),
            "high": reach.high.tolist(),
            "lag50": reach.lag50,
            "lag1": reach.lag1,
        }
        for name, reach in model.reaches.items()
    }
    return {"name": model.name, "cell": model.cell, "task": model.task, "measures": measures}
