"""Train four cells with equal numbers of parameters on two tasks, measure how far back they remember, and write memory.md.

    python docs/memory.py FOLDER

Models are kept in FOLDER, and trained only where they are missing.
"""

from __future__ import annotations

import datetime
import os
import platform
import sys
from pathlib import Path

import torch

import rnnscope
from rnnscope.core.cells import CELLS
from rnnscope.core.comparison import Comparison
from rnnscope.core.configuration import Configuration
from rnnscope.core.evaluation import score
from rnnscope.core.model import Model
from rnnscope.core.settings import make
from rnnscope.core.widths import units_for
from rnnscope.figures import save_figure
from rnnscope.figures.table import markdown
from rnnscope.views import VIEWS, Position
from rnnscope.views.reach import capacities, sentence
from rnnscope.views.subject import Subject, style_of

PAGE = Path(__file__).with_name("memory.md")
KINDS, SEEDS, PARAMETERS, SEQUENCES = ("elman", "lstm", "gru", "rwa"), 3, 10_000, 200
TASKS = {
    "adding": {"task_settings": {"length": 60}, "training": {"iterations": 2500, "batch": 50}},
    "copy": {
        "task_settings": {"length": 20, "symbols": 3},
        "training": {"iterations": 4000, "batch": 50, "learning_rate": 3e-3},
    },
}
MEASURES = ("state_jacobian", "direct_weight", "connectivity", "decoding", "causal", "context_loss")
HEAD = """\
# How far back trained cells remember

{cells} with about {parameters:,} parameters each, {seeds} seeds, trained on two tasks and measured on {sequences}
sequences of the evaluation batch, which training never sees. Lags are in time steps back; in brackets is the 95 % interval
over seeds and sequences, and behind the law the share of resamples in which it is the closer one. Written by
`python docs/memory.py`, {date}, {machine}, one thread.

- **gradient**: norm of the derivative of the last state with respect to an earlier one, full state, geometric mean
- **gates alone**: share of an old memory that the gates let through
- **influence**: norm of the derivative of the last output with respect to an earlier input
- **decoding**: how well an earlier input can be read from the last state, by a linear probe on sequences held out
- **replacing**: how much the last output changes when an earlier input is another one
- **context**: how much higher the last loss is when all inputs before this lag are withheld

Gradient and information are different things: what cannot be changed any more may still be known.
"""


def main(folder: Path) -> None:
    """Train, measure and write."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    machine = f"{os.cpu_count()} cores, {platform.machine()}"
    words = {"parameters": PARAMETERS, "seeds": SEEDS, "sequences": SEQUENCES, "date": datetime.date.today()}
    text = HEAD.format(cells=", ".join(CELLS[kind].name for kind in KINDS), machine=machine, **words)
    for task in TASKS:
        models = {f"{kind} {seed}": trained(folder, task, kind, seed) for kind in KINDS for seed in range(SEEDS)}
        text += f"\n## {rnnscope.core.tasks.TASKS[task].name.capitalize()}\n\n{scores(models)}\n\n"
        text += shown(task, models)
    PAGE.write_text(text, encoding="utf-8")


def configured(task: str, kind: str, seed: int) -> Configuration:
    """A cell with as many units as come nearest to the wanted number of parameters."""
    values = {"cell": kind, "task": task} | TASKS[task]
    values["training"] = values["training"] | {"seed": seed}
    units = units_for(make(Configuration, values), PARAMETERS)
    return make(Configuration, values | {"units": units})


def trained(folder: Path, task: str, kind: str, seed: int) -> Model:
    """From the folder, or trained and kept there."""
    path = folder / f"{task}-{kind}-{seed}.safetensors"
    if not path.exists():
        model = Model(configured(task, kind, seed))
        for _ in rnnscope.train(model):
            pass
        rnnscope.save(model, path)
    return rnnscope.load(path)


def scores(models: dict[str, Model]) -> str:
    """What every model reached."""
    first = next(iter(models.values())).task
    lines = [f"| cell | units | {first.score_name}, each seed |", "|---|---:|---|"]
    for kind in KINDS:
        own = [model for name, model in models.items() if name.split()[0] == kind]
        reached = ", ".join(f"{score(model):.4g}" for model in own)
        lines.append(f"| {CELLS[kind].name} | {own[0].configuration.units} | {reached} |")
    return "\n".join(lines)


def shown(task: str, models: dict[str, Model]) -> str:
    """Figure, tables and sentence of a task."""
    after = rnnscope.compare(models, measures=MEASURES, sequences=SEQUENCES)
    fresh = {name: Model(model.configuration) for name, model in models.items()}
    before = rnnscope.compare(fresh, measures=("state_jacobian", "direct_weight"), sequences=SEQUENCES)
    for name, comparison, measure in (("gradient", after, "state_jacobian"), ("untrained", before, "state_jacobian")):
        subjects = [
            Subject(
                kind.cell,
                style_of(list(CELLS).index(kind.cell)),
                models[f"{kind.cell} 0"].task.facts(),
                reaches={measure: kind.reaches[measure]},
            )
            for kind in comparison.kinds
        ]
        save_figure(VIEWS["reach"](subjects, Position()), PAGE.with_name(f"memory-{task}-{name}.svg"), width_mm=120)
    named = {kind.name: kind.reaches for kind in after.kinds}
    said = f"{sentence(named)} {capacities(named)}"
    page = [said, f"![trained](memory-{task}-gradient.svg)", markdown(Comparison(after.kinds)), "Before training:"]
    page += [f"![untrained](memory-{task}-untrained.svg)", markdown(Comparison(before.kinds))]
    return "\n\n".join(page) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
