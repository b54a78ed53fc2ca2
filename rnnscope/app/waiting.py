"""Waiting: a training that begins when those before it have ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rnnscope.app.run import Run


@dataclass(frozen=True, eq=False)
class Waiting:
    """A new model to be trained, or a run to be trained on.

    settings  the Configuration of a new model, or the Training of `run`
    run       what is trained on; None for a new model
    """

    name: str
    settings: Any
    run: Run | None = None

    @property
    def training(self) -> Any:
        """How long and how it is trained."""
        return self.settings if self.run else self.settings.training
