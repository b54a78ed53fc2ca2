"""The comparison as a table of words: how far back each model reaches, by each measure."""

from __future__ import annotations

from rnnscope.core.comparison import Comparison
from rnnscope.views.reach import lag_words, law_words, words_of

HEADER = ("run", "cell", "measure", "50 % lag", "1 % lag", "falls like")
NUMBERS = ("50 % lag", "1 % lag")


def rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """One row of text per model or kind and measure, lags in time steps with their 95 % intervals."""
    return [
        (model.name, model.cell, words_of(name), *map(lag_words, (reach,) * 2, (reach.lag50, reach.lag1)), law_words(reach))
        for model in (*comparison.models, *comparison.kinds)
        for name, reach in model.reaches.items()
    ]


def plain(comparison: Comparison) -> str:
    """Aligned columns, words left and numbers right."""
    table = [HEADER, *rows(comparison)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(_aligned(row, widths)).rstrip() for row in table)


def markdown(comparison: Comparison) -> str:
    """The same as a Markdown table."""
    rule = tuple("---:" if name in NUMBERS else "---" for name in HEADER)
    escaped = [tuple(text.replace("|", "\\|") for text in row) for row in rows(comparison)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (HEADER, rule, *escaped))


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    columns = zip(HEADER, row, widths, strict=True)
    return [f"{text:>{size}}" if name in NUMBERS else f"{text:<{size}}" for name, text, size in columns]
