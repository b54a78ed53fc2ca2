"""The one-slot hand-over between the threads: the newest trace wins, scalars accumulate and none is lost."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import numpy as np

from rnnscope.core.trace import Trace


@dataclass(frozen=True, eq=False)
class Frame:
    """What happened to one run since the last frame: losses and gradient norms (iterations,), and its newest trace.

    snapshots  all iterations whose weights the model has
    """

    run: int
    loss: np.ndarray
    gradient_norm: np.ndarray
    rate: float  # iterations a second
    alone: float  # the same by the time of the iterations alone, without what is recorded and told for the window
    device: str
    trace: Trace | None = None
    snapshots: tuple[int, ...] = ()


class Mailbox:
    """Holds at most one Frame. Taking it is what asks for the next."""

    def __init__(self):
        self._lock = Lock()
        self._frame: Frame | None = None

    @property
    def wants(self) -> bool:
        """Whether the last frame was taken."""
        return self._frame is None

    def put(self, frame: Frame) -> None:
        """Leave a frame; one that still lies here, of the same run, is merged into it."""
        with self._lock:
            old = self._frame
            if old is not None and old.run == frame.run:
                frame = Frame(
                    frame.run,
                    np.concatenate([old.loss, frame.loss]),
                    np.concatenate([old.gradient_norm, frame.gradient_norm]),
                    frame.rate,
                    frame.alone,
                    frame.device,
                    frame.trace or old.trace,
                    frame.snapshots,
                )
            self._frame = frame

    def take(self) -> Frame | None:
        """Take what is there."""
        with self._lock:
            frame, self._frame = self._frame, None
            return frame
