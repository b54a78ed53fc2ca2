"""FileProblem: what every format raises for a file that it cannot read."""

from __future__ import annotations

from pathlib import Path


class FileProblem(ValueError):
    """A file that cannot be read as a model: which one, what was expected, what came; one sentence."""

    def __init__(self, path: Path, what: str):
        super().__init__(f"{path}: {what}")
        self.path = path
