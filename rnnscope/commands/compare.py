"""rnnscope compare: how far back models of one task remember, as a table, JSON, a figure and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnscope.commands.shared import Files, load_all, write


def compare(
    files: Files,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document with the curves, nothing else.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also save the curves as a figure (.pdf, .svg or .png).")] = None,
    numbers: Annotated[Path | None, typer.Option(help="Also save the curves as CSV.")] = None,
    sequences: Annotated[
        int | None, typer.Option(min=1, help="Sequences to measure on; by default 64, or all where a measure needs many.")
    ] = None,
    measures: Annotated[
        list[str] | None, typer.Option("--measure", help="A measure, as often as wanted; `rnnscope info` lists them.")
    ] = None,
) -> None:
    """Measure how far back models of one task remember."""
    from rnnscope.core.comparison import compare as measure
    from rnnscope.core.reach import QUICK
    from rnnscope.figures.save import check
    from rnnscope.figures.subjects import check_one_task, measured_subjects
    from rnnscope.figures.table import plain
    from rnnscope.views import VIEWS, Position
    from rnnscope.views.reach import capacities, sentence

    if out:
        check(out)
    models = load_all(files)
    check_one_task(models, same_settings=False)
    comparison = measure(models, measures=measures or QUICK, sequences=sequences)
    write(VIEWS["reach"](measured_subjects(models, comparison), Position()), out, numbers)
    named = {model.name: model.reaches for model in comparison.models}
    said = f"{sentence(named)} {capacities(named)}".strip()
    if not any(model.reaches for model in comparison.models):
        said = "None of these measures has a meaning for these models."
    typer.echo(comparison.json() if as_json else f"{plain(comparison)}\n\n{said}".rstrip())
