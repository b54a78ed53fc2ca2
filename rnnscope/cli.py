"""The command line: parses, calls, prints."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnscope.commands.compare import compare
from rnnscope.commands.shared import Files, load_all, print_rows, write
from rnnscope.commands.telephone import telephone
from rnnscope.core.files import check_writable, sentence

if TYPE_CHECKING:
    from rnnscope.core.configuration import Configuration
    from rnnscope.core.model import Model
    from rnnscope.core.tasks import Task

app = typer.Typer(
    help="An oscilloscope for recurrent networks. Without a command, opens the window.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line; every error is one line on stderr and a non-zero exit status."""
    try:
        status = app(standalone_mode=False)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        if not _is_users(error):
            raise
        message = error.format_message() if hasattr(error, "format_message") else sentence(error)
        print(f"rnnscope: {' '.join(message.split())}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 1))
    sys.exit(status or 0)


def _is_users(error: Exception) -> bool:
    """Whether an error says what the user can change, rather than that rnnscope is wrong."""
    return isinstance(error, (ValueError, ArithmeticError, OSError)) or hasattr(error, "format_message")


@app.callback(invoke_without_command=True)
def _without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        open_window([])


@app.command("open")
def open_window(
    files: Annotated[list[Path] | None, typer.Argument(help="Model files to load.", show_default=False)] = None,
) -> None:
    """Open the window, with FILES loaded."""
    from rnnscope.app.main import run

    raise typer.Exit(run(files or []))


@app.command()
def demo() -> None:
    """Open the window with the sample models; without a display, write what it shows into rnnscope-demo/."""
    from rnnscope.app.demo import demo as show_samples

    written = show_samples()
    if written:
        typer.echo("No display: the same work was done offscreen. Written:")
    for path in written:
        typer.echo(f"  {path}")


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Where to save the model (.safetensors).")],
    cell: Annotated[str, typer.Option(help="Name of a cell; `rnnscope info` lists them.")] = "lstm",
    task: Annotated[str, typer.Option(help="Name of a task; `rnnscope info` lists them.")] = "adding",
    length: Annotated[int | None, typer.Option(help="Length of the task, where it has one.")] = None,
    network: Annotated[str, typer.Option(help="How cells are joined; `rnnscope info` lists the ways.")] = "stack",
    units: Annotated[int | None, typer.Option(help="Hidden units of a layer; 64 by default.", show_default=False)] = None,
    parameters: Annotated[
        int | None, typer.Option(help="In place of --units: as many units as come nearest to so many parameters.")
    ] = None,
    iterations: Annotated[int, typer.Option(help="Optimiser updates.")] = 2000,
    batch: Annotated[int, typer.Option(help="Sequences per update.")] = 50,
    learning_rate: Annotated[float, typer.Option(help="Step size of Adam.")] = 2e-3,
    clip: Annotated[float, typer.Option(help="Largest gradient norm.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Start of all random numbers.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    engine: Annotated[str, typer.Option(help="auto, reference, vendor, fused or checkpointed.")] = "auto",
    option: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the cell, the network or the task, NAME=VALUE; may be given again."),
    ] = None,
    snapshots: Annotated[
        bool, typer.Option("--snapshots", help="Also save the weights on the way, to look back at the training.")
    ] = False,
) -> None:
    """Train a model and save it."""
    from rnnscope.core.formats import FORMATS, FileProblem

    if out.suffix not in FORMATS:
        raise FileProblem(out, f"--out: expected a name that ends in {' or '.join(FORMATS)}")
    check_writable(out)
    training = {
        "iterations": iterations,
        "batch": batch,
        "learning_rate": learning_rate,
        "clip": clip,
        "seed": seed,
        "device": device,
        "engine": engine,
    }
    wanted = dict(_pair(text) for text in option or [])
    if length is not None:
        wanted["length"] = length
    if units is not None and parameters is not None:
        raise ValueError(f"--parameters: expected this or --units, got both: {parameters:,} and {units:,}")
    configuration = _configuration(cell, network, task, 64 if units is None else units, training, wanted)
    if parameters is not None:
        configuration = _as_wide_as(configuration, parameters)
    _train_and_save(configuration, out, snapshots)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set: expected NAME=VALUE, got {text!r}")
    return name.strip(), value.strip()


def _configuration(cell: str, network: str, task: str, units: int, training: dict, wanted: dict) -> Configuration:
    """Give each of the `wanted` settings to the cell, the network or the task, whichever has it."""
    from rnnscope.core.cells import CELLS
    from rnnscope.core.configuration import Configuration
    from rnnscope.core.networks import NETWORKS
    from rnnscope.core.settings import choose, make
    from rnnscope.core.tasks import TASKS

    fields = {
        "cell_settings": choose(CELLS, cell, "--cell").Settings.model_fields,
        "network_settings": choose(NETWORKS, network, "--network").Settings.model_fields,
        "task_settings": choose(TASKS, task, "--task").model_fields,
    }
    chosen = {"cell": cell, "network": network, "task": task, "units": units, "training": training}
    settings = {place: {} for place in fields}
    for name, value in wanted.items():
        place = next((place for place, known in fields.items() if name in known), None)
        if place is None:
            known = ", ".join(name for known in fields.values() for name in known) or "none"
            raise ValueError(f"{name}: there is no such setting of {cell}, {network} or {task}; they have: {known}")
        settings[place][name] = value
    return make(Configuration, chosen | settings)


def _as_wide_as(configuration: Configuration, parameters: int) -> Configuration:
    """The configuration with the units that come nearest to so many parameters, which it says."""
    from rnnscope.core.widths import parameters_of, units_for

    found = configuration.model_copy(update={"units": units_for(configuration, parameters)})
    typer.echo(f"{found.units} units: {parameters_of(found):,} parameters, the nearest to {parameters:,}")
    return found


def _train_and_save(configuration: Configuration, out: Path, snapshots: bool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from rnnscope.core.evaluation import score
    from rnnscope.core.formats import save
    from rnnscope.core.model import Model
    from rnnscope.core.trace import History
    from rnnscope.core.training import Diverged, scalars, train, with_snapshots

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # batch systems end jobs so: keep the model, as for Ctrl-C
    model = Model(configuration)
    total = configuration.training.iterations
    updates, trouble = [], None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("loss", total=total)
        try:
            for update in with_snapshots(model, train(model)) if snapshots else train(model):
                updates.append(update)
                if update.iteration % 10 == 0 or update.iteration == total:
                    progress.update(bar, completed=update.iteration, description=f"loss {float(update.loss):.4f}")
        except (Diverged, KeyboardInterrupt) as error:
            trouble = error
    if not updates:
        raise trouble
    model.history = History(*scalars(updates))
    save(model, out, snapshots=snapshots)
    task, reached = model.task, score(model)
    typer.echo(
        f"{out}: {task.score_name} {reached:.4g}, {_verdict(task, reached)}, last loss {updates[-1].loss:.4g} "
        f"(a model without memory that {task.baseline_words}: {task.baseline:.4g})"
    )
    if trouble is not None:
        raise trouble


@app.command()
def info(
    file: Annotated[Path | None, typer.Argument(help="A model file (.safetensors).", show_default=False)] = None,
) -> None:
    """Say what a model file holds; without FILE, what rnnscope knows and what it runs on."""
    print_rows(_what_there_is() if file is None else _what_it_holds(file))


def _what_there_is() -> dict[str, str]:
    import torch

    from rnnscope import __version__
    from rnnscope.core.cells import CELLS
    from rnnscope.core.engines import ENGINES
    from rnnscope.core.formats import FORMATS
    from rnnscope.core.memory import MEASURES
    from rnnscope.core.networks import NETWORKS
    from rnnscope.core.tasks import TASKS
    from rnnscope.core.training import choose_device
    from rnnscope.views import VIEWS

    tables = {
        "cells": CELLS,
        "networks": NETWORKS,
        "tasks": TASKS,
        "views": VIEWS,
        "measures": MEASURES,
        "engines": ENGINES,
        "files": FORMATS,
    }
    return {
        "rnnscope": __version__,
        **{name: ", ".join(table) for name, table in tables.items()},
        "torch": f"{torch.__version__}, trains on {choose_device('auto')} unless told otherwise",
    }


def _what_it_holds(file: Path) -> dict[str, str]:
    from rnnscope.core.cells import CELLS
    from rnnscope.core.choice import choose
    from rnnscope.core.evaluation import score
    from rnnscope.core.formats import load

    model = load(file)
    configuration, engine = model.configuration, choose(model, wait=False)
    reached = score(model)
    count = sum(parameter.numel() for parameter in model.parameters())
    return {
        "file": f"{file} ({file.stat().st_size / 1000:,.0f} kB)",
        "cell": f"{configuration.cell} ({CELLS[configuration.cell].name}), {configuration.units} units",
        "parameters": f"{count:,}",
        "cell settings": _words(configuration.cell_settings),
        "network": f"{configuration.network} ({model.network.name}) of {', '.join(model.network.names)}",
        "network settings": _words(configuration.network_settings),
        "task": f"{configuration.task} ({model.task.name})",
        "task settings": _words(configuration.task_settings),
        "training": _words(configuration.training),
        "engine": f"{engine} runs it here",
        "trained": f"{len(model.history)} iterations",
        "snapshots": _range_of(model.snapshots.iterations),
        model.task.score_name: f"{reached:.4g} on the evaluation batch, {_verdict(model.task, reached)}",
        "baseline": f"{model.task.baseline:.4g} loss of a model that {model.task.baseline_words}",
        **{
            f"signals of {layer}": ", ".join(
                f"{name} ({signal.symbol})" for name, signal in model.network.layers[parts[0]].signals.items()
            )
            for layer, parts in model.network.shown.items()
        },
    }


def _range_of(iterations: tuple[int, ...]) -> str:
    return f"{len(iterations)}, of iterations {iterations[0]} to {iterations[-1]}" if iterations else "none"


def _verdict(task: Task, reached: float) -> str:
    """Whether the task is solved, or from what score on it would be."""
    if task.solved(reached):
        return "solved"
    return f"solved {'below' if task.lower_is_better else 'from'} {task.goal:.4g}"


def _words(settings) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.model_dump().items()) or "none"


app.command()(compare)


@app.command()
def figure(
    files: Files,
    view: Annotated[str, typer.Option(help="Name of a view; `rnnscope info` lists them.")],
    out: Annotated[Path, typer.Option(help="Where to save the figure (.pdf, .svg or .png).")],
    numbers: Annotated[Path | None, typer.Option(help="Also save its numbers as CSV.")] = None,
    width: Annotated[float, typer.Option(help="Width of the page in mm.")] = 183,
    height: Annotated[float | None, typer.Option(help="Height in mm; by default as the rows ask for.")] = None,
    dpi: Annotated[int, typer.Option(help="Resolution of heatmaps, and of a PNG.")] = 300,
    time_step: Annotated[int | None, typer.Option(help="Where the cursor stands, from 1; by default at the end.")] = None,
    sequence: Annotated[int, typer.Option(help="Which of the traced sequences, from 1.")] = 1,
    unit: Annotated[int, typer.Option(help="Which unit, from 0.")] = 0,
    layer: Annotated[str, typer.Option(help="Which layer, by name; `rnnscope info FILE` lists them.")] = "",
    colour: Annotated[str, typer.Option("--signal", help="Which signal colours a tree.")] = "hidden",
    output: Annotated[int | None, typer.Option(help="Which output the influence is on, from 0; by default all.")] = None,
    iteration: Annotated[
        int | None, typer.Option(help="Of the training, where a file has its snapshots: the last one at or before it.")
    ] = None,
) -> None:
    """Save one view of models of one task, side by side."""
    from rnnscope.core.settings import choose
    from rnnscope.figures.save import check
    from rnnscope.views import VIEWS, draw

    choose(VIEWS, view, "--view")
    check(out, width, height, dpi)
    models = load_all(files)
    if iteration is not None:
        models = _looking_back(models, iteration)
    subjects, position = _subjects(models, view, time_step, sequence, unit, output)
    if subjects[0].trace:
        _among("--layer", layer or subjects[0].trace.layer, {name for subject in subjects for name in subject.trace.layers})
        _among("--signal", colour, {name for subject in subjects for name in subject.trace.of_layer(layer).signals})
    write(
        draw(view, subjects, replace(position, layer=layer, signal=colour)),
        out,
        numbers,
        width_mm=width,
        height_mm=height,
        dpi=dpi,
    )
    typer.echo(f"{out}: {view} of {', '.join(models)}")


app.command()(telephone)


def _subjects(
    models: dict[str, Model], view: str, time_step: int | None, sequence: int, unit: int, output: int | None = None
):
    """What the view draws, measured where it is "reach" and recorded otherwise, and the cursor."""
    from rnnscope.core.comparison import compare as measure
    from rnnscope.core.tasks.task import PROBE_SEQUENCES
    from rnnscope.figures.subjects import check_one_task, grown_subjects, measured_subjects, subjects
    from rnnscope.views import Position

    check_one_task(models)
    _within("--sequence", sequence, 1, PROBE_SEQUENCES)
    _within("--unit", unit, 0, min(model.configuration.units for model in models.values()) - 1)
    if view == "reach":
        return measured_subjects(models, measure(models)), Position()
    if view == "growth":
        return grown_subjects(models), Position()
    shown = subjects(models)
    last = shown[0].trace.time_steps
    if time_step is not None:
        _within("--time-step", time_step, 1, last)
    if view == "influence":
        from rnnscope.core.memory.influence import influence

        if output is not None:
            _within("--output", output, 0, min(model.readout.out_features for model in models.values()) - 1)
        found = [influence(model, model.task.probe(), sequence - 1, time_step or last, output) for model in models.values()]
        shown = [replace(subject, influence=taken) for subject, taken in zip(shown, found, strict=True)]
    return shown, Position(time_step or last, sequence - 1, unit, output=output)


def _looking_back(models: dict[str, Model], iteration: int) -> dict[str, Model]:
    """The models as they were at an iteration, by names that say so."""
    for name, model in models.items():
        if not model.snapshots:
            raise ValueError(
                f"--iteration: {name} holds no snapshots of its training; rnnscope train --snapshots keeps them"
            )
        _within("--iteration", iteration, model.snapshots.iterations[0], len(model.history))
    past = {name: model.at(iteration) for name, model in models.items()}
    return {f"{name} @ {len(model.history):,}": model for name, model in past.items()}


def _within(option: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{option}: expected {low} to {high}, got {value}")


def _among(option: str, name: str, known: set[str]) -> None:
    if name not in known:
        raise ValueError(f"{option}: expected one of {', '.join(sorted(known))}; got {name!r}")
