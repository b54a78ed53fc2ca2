"""Files of models: one format per file, one line in FORMATS by suffix."""

from __future__ import annotations

from pathlib import Path

from rnnscope.core.formats import safetensors_file
from rnnscope.core.formats.problem import FileProblem
from rnnscope.core.model import Model

FORMATS = {".safetensors": safetensors_file}


def load(path: str | Path) -> Model:
    """Read a model file of any format in FORMATS. Raises FileProblem in one sentence."""
    return _format(path).load(path)


def save(model: Model, path: str | Path, *, snapshots: bool = False) -> None:
    """Write a model in the format of its suffix, whole or not at all. Raises FileProblem for another suffix, OSError.

    snapshots  write those of its training, too
    """
    _format(path).save(model, path, snapshots=snapshots)


def _format(path: str | Path):
    suffix = Path(path).suffix
    if suffix.lower() not in FORMATS:
        raise FileProblem(path, f"expected a file that ends in {' or '.join(FORMATS)}, got {suffix or 'no ending'}")
    return FORMATS[suffix.lower()]


__all__ = ["FORMATS", "FileProblem", "load", "save"]
