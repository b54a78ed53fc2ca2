"""Figures: paint a Plot for print and write its numbers. No Qt; matplotlib is imported when a figure is first painted."""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "paint": "rnnscope.figures.painting",
    "save_figure": "rnnscope.figures.save",
    "save_numbers": "rnnscope.figures.numbers",
}

__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'rnnscope.figures' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
