"""Subjects from models: what a view draws, with each model in the colour of its cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rnnscope.core.cells import CELLS
from rnnscope.core.comparison import Comparison, evaluated
from rnnscope.core.model import Model
from rnnscope.core.reach import Reach
from rnnscope.core.recording import record_batch
from rnnscope.views.growth import MEASURE, PER_OCTAVE
from rnnscope.views.subject import Style, Subject, style_of


def subject(name: str, model: Model, again: int = 0) -> Subject:
    """One model as views see it, with its Trace; `again` counts the earlier runs of the same cell."""
    return Subject(name, _style(model, again), model.task.facts(), model.history, record_batch(model, model.task.probe()))


def subjects(models: Mapping[str, Model]) -> list[Subject]:
    """Models side by side, on the same sequences: name -> Model.

    Raises ValueError when one was made for another task than the first, or for other settings of it.
    """
    check_one_task(models)
    return [subject(name, model, again) for (name, model), again in zip(models.items(), _again(models), strict=True)]


def measured_subjects(models: Mapping[str, Model], comparison: Comparison) -> list[Subject]:
    """The models of a comparison with their reaches and without a Trace."""
    compared = {model.name: model.reaches for model in comparison.models}
    return [
        Subject(name, _style(model, again), model.task.facts(), model.history, reaches=compared[name])
        for (name, model), again in zip(models.items(), _again(models), strict=True)
    ]


def grown_subjects(models: Mapping[str, Model]) -> list[Subject]:
    """The models with what is measured of them at snapshots of their training, and now, without a Trace."""
    for name, model in models.items():
        if not model.snapshots:
            raise ValueError(f"growth: {name} holds no snapshots of its training; rnnscope train --snapshots keeps them")
    return [
        Subject(name, _style(model, again), model.task.facts(), model.history, growth=_growth(model))
        for (name, model), again in zip(models.items(), _again(models), strict=True)
    ]


def _growth(model: Model) -> dict[int, Mapping[str, Reach]]:
    iterations = [*model.snapshots.thinned(PER_OCTAVE).iterations, len(model.history)]
    return {n: evaluated(model.at(n), model.task, [MEASURE]) for n in iterations}


def check_one_task(models: Mapping[str, Model], same_settings: bool = True) -> None:
    """Raise ValueError naming the first model whose task, or a setting of it if asked, is not that of the first model."""
    (first, expected), *others = models.items()
    for name, model in others:
        if type(model.task) is not type(expected.task) or (same_settings and model.task != expected.task):
            raise ValueError(
                f"{name}: made for {_words(model)}, but {first} for {_words(expected)}; compare models of one task"
            )


def _words(model: Model) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in model.task.model_dump().items())
    return f"the task {model.configuration.task}" + (f" ({settings})" if settings else "")


def _again(models: Mapping[str, Model]) -> list[int]:
    """For each model how many of the same cell came before it."""
    seen: Counter[str] = Counter()
    before = []
    for model in models.values():
        before.append(seen[model.configuration.cell])
        seen[model.configuration.cell] += 1
    return before


def _style(model: Model, again: int) -> Style:
    return style_of(list(CELLS).index(model.configuration.cell), again)
