"""rnnscope telephone: what an LSTM and an RWA leave of a signal, as a table, JSON, a figure and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnscope.commands.shared import print_rows, write


def telephone(
    length: Annotated[int, typer.Option(help="Symbols that are sent, 2 to 200,000.")] = 100_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also save the curves as a figure (.pdf, .svg or .png).")] = None,
    numbers: Annotated[Path | None, typer.Option(help="Also save the curves as CSV.")] = None,
) -> None:
    """Send a signal through 100,000 symbols, by an LSTM with open gates and by an RWA, and say what is left of it."""
    import numpy as np

    from rnnscope.core.cells import CELLS
    from rnnscope.core.telephone import as_json as table_of
    from rnnscope.core.telephone import telephone as send
    from rnnscope.figures.save import check
    from rnnscope.views.subject import style_of
    from rnnscope.views.telephone import plain
    from rnnscope.views.telephone import telephone as view

    if out:
        check(out)
    sent = send(length)
    styles = [style_of(list(CELLS).index(one.cell)) for one in sent]
    left, shares = (np.stack([getattr(one, name) for one in sent]) for name in ("left", "shares"))
    write(view([one.name for one in sent], styles, left, shares), out, numbers)
    if as_json:
        typer.echo(table_of(sent))
        return
    typer.echo(f"Left of the first of {length:,} symbols once the last has been read:")
    print_rows(
        {
            one.name: f"{plain(one.left[-1])} ({one.left[-1]:.6g} from two runs, {one.left_by_gradient:.6g} by gradient; "
            f"{one.formula} = {one.expected:.6g})"
            for one in sent
        }
    )
    typer.echo("Share of the last memory that the first symbol and the last symbol hold:")
    print_rows({one.name: f"{plain(one.shares[0])} and {plain(one.shares[-1])}" for one in sent})
