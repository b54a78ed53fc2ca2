"""Files of models: one format per file, one line in FORMATS by suffix."""

from __future__ import annotations

from pathlib import Path

from rnnscope.core.formats import safetensors_file
from rnnscope.core.formats.problem import FileProblem
from rnnscope.core.model import Model

FORMATS = {".safetensors": safetensors_file}


def load(path: str | Path) -> Model:
    """Read a model file of any format in FORMATS. Raises FileProblem in one sentence."""
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise FileProblem(path, f"expected a file that ends in {' or '.join(FORMATS)}, got {path.suffix or 'no ending'}")
    return FORMATS[path.suffix.lower()].load(path)


def save(model: Model, path: str | Path) -> None:
    """Write a model in rnnscope's own format, whole or not at all. Raises OSError."""
    safetensors_file.save(model, path)


__all__ = ["FORMATS", "FileProblem", "load", "save"]
