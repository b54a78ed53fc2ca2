"""Words on paper: how wide they are, and how they are made to fit. All lengths in millimetres, sizes in points."""

from __future__ import annotations

from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

MM = 25.4 / 72  # millimetres in a point
LEADING = 1.3  # from line to line, in sizes


@lru_cache(4096)
def width(text: str, size: float, weight: str = "normal", style: str = "normal") -> float:
    """Width of one line of DejaVu Sans."""
    font = FontProperties(family=["DejaVu Sans"], size=size, weight=weight, style=style)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] * MM


def line_height(size: float) -> float:
    """From one line to the next."""
    return size * MM * LEADING


def clean(text: str) -> str:
    """One line without what no font can show: names of runs come from names of files."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def shorten(text: str, room: float, size: float, weight: str = "normal") -> str:
    """`text`, with an ellipsis in its middle where it is wider than `room`; at least its first and last letter."""
    short, kept = text, len(text)
    while kept > 2 and width(short, size, weight) > room:
        kept -= 1
        short = text[: kept - kept // 2] + "…" + text[len(text) - kept // 2 :]
    return short


def wrap(text: str, room: float, size: float) -> list[str]:
    """Lines no wider than `room`, broken at blanks; a word that is wider is shortened."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(shorten(word, room, size))
    return lines
