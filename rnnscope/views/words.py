"""Numbers as they are written on the screen and in print, with a true minus sign."""

from __future__ import annotations

import math

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float) -> str:
    """Three digits that matter; a gap is a dash."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    return f"{value:.3g}".replace("-", "−").replace("e−0", "e−")


def power_of_ten(exponent: int) -> str:
    """10 to a power, written with the font's own superscripts."""
    return "10" + str(exponent).translate(SUPERSCRIPTS)
