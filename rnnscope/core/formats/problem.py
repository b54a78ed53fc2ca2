"""FileProblem: what every format raises for a file that it cannot read."""

from __future__ import annotations

from pathlib import Path

LONGEST = 500  # characters of what a file may make us say


class FileProblem(ValueError):
    """A file that cannot be read as a model: which one, what was expected, what came; one printable sentence."""

    def __init__(self, path: str | Path, what: str):
        what = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in what)
        super().__init__(f"{path}: {what if len(what) <= LONGEST else what[:LONGEST] + '…'}")
        self.path = Path(path)
