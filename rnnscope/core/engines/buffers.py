"""Large buffers on the CPU that are used again: the first touch of fresh memory costs more than the arithmetic on it."""

from __future__ import annotations

import math
import weakref
from collections import deque
from itertools import count
from threading import Lock

import numpy as np
import torch
from torch import Tensor

IDLE = 2**31  # bytes that are kept while nobody uses them
LARGE = 2**18  # bytes from which on it pays
LINE = 64  # bytes of a cache line
PAGE = 2**21  # bytes of a large page
_idle: list[np.ndarray] = []  # of bytes, the longest unused first
_returned: deque[np.ndarray] = deque()  # not sorted in yet: an array may go at any moment, also within `blank`
_lock = Lock()
_places = count()


def blank(like: Tensor, *shape: int, together: bool = False) -> Tensor:
    """An uninitialised tensor of this shape, with the precision of `like`; its memory comes back when it is gone.

    Each large one begins with a cache line, as those of torch do, at a place of its own within a page, so that entries of
    equal index do not fight for the same lines. Its memory is asked for by way of numpy, which takes large pages from 4 MB
    on. What fits into one lies in one if it is to be `together`: then the second cache has a place for each of its lines.
    """
    dtype = np.dtype(str(like.dtype).removeprefix("torch."))
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE:
        return like.new_empty(shape)
    together &= size + 4096 <= PAGE
    whole = 2 * PAGE if together else -(-(size + 4096) // LARGE) * LARGE
    with _lock:
        _tidy()
        found = next((n for n in reversed(range(len(_idle))) if len(_idle[n]) == whole), None)
        memory = np.empty(whole, np.uint8) if found is None else _idle.pop(found)
    place = -memory.ctypes.data % (PAGE if together else LINE) + 5 * LINE * next(_places) % 4096
    array = np.ndarray(shape, dtype, memory, place)
    weakref.finalize(array, _give_back, memory)
    return torch.from_numpy(array)


def _give_back(memory: np.ndarray) -> None:
    _returned.append(memory)
    if _lock.acquire(blocking=False):
        try:
            _tidy()
        finally:
            _lock.release()


def _tidy() -> None:
    """Keep what has come back, and let go of what has been unused longest."""
    if not _returned:
        return
    while _returned:
        _idle.append(_returned.popleft())
    while sum(map(len, _idle)) > IDLE:
        _idle.pop(0)
