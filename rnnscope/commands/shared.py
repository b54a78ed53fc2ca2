"""What several commands share: reading models, writing figures and numbers, printing names with values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnscope.core.files import check_writable

if TYPE_CHECKING:
    from rnnscope.core.model import Model
    from rnnscope.views import Plot

Files = Annotated[list[Path], typer.Argument(help="Model files (.safetensors).", show_default=False)]


def load_all(files: list[Path]) -> dict[str, Model]:
    """Models by the names of their files, made unlike where two are alike."""
    from rnnscope.core.formats import load

    models: dict[str, Model] = {}
    for file in files:
        name, n = file.stem, 2
        while name in models:
            name, n = f"{file.stem} {n}", n + 1
        models[name] = load(file)
    return models


def write(plot: Plot, out: Path | None, numbers: Path | None, **page) -> None:
    """Save the figure and the numbers, whichever is asked for; neither if the figure cannot be painted."""
    from rnnscope.figures import save_figure, save_numbers

    for path in filter(None, (out, numbers)):
        check_writable(path)
    if out:
        save_figure(plot, out, **page)
    if numbers:
        save_numbers(plot, numbers)


def print_rows(rows: dict[str, str]) -> None:
    """Names and values in two columns."""
    width = max(map(len, rows))
    for name, value in rows.items():
        typer.echo(f"{name:<{width}}  {value}")
