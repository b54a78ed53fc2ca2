"""Crameri's vik, the diverging map of signed values, for the screen and for print."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np


@cache
def vik() -> np.ndarray:
    """256 colours (256, 3) in 0..1, read from cmcrameri's table: importing cmcrameri would import matplotlib's pyplot."""
    return np.loadtxt(Path(find_spec("cmcrameri").origin).parent / "cmaps" / "vik.txt")
