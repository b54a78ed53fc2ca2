"""Large buffers on the CPU that are used again: the first touch of fresh memory costs more than the arithmetic on it."""

from __future__ import annotations

import math
import weakref
from itertools import count

import numpy as np
import torch
from torch import Tensor

IDLE = 2**31  # bytes that are kept while nobody uses them
LARGE = 2**20  # bytes from which on it pays
_idle: dict[int, list[np.ndarray]] = {}
_places = count()


def blank(like: Tensor, *shape: int) -> Tensor:
    """An uninitialised tensor of this shape, with the precision of `like`; its memory comes back when it is gone.

    Each large one begins at a place of its own within a page, so that entries of equal index do not fight for the same
    cache lines. Its memory is asked for by way of numpy, which takes large pages.
    """
    dtype = np.dtype(str(like.dtype).removeprefix("torch."))
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE:
        return like.new_empty(shape)
    whole = -(-(size + 4096) // LARGE) * LARGE
    try:
        memory = _idle.get(whole, []).pop()
    except IndexError:
        if _bytes() > IDLE // 2:
            _idle.clear()
        memory = np.empty(whole, np.uint8)
    array = np.ndarray(shape, dtype, memory, 320 * next(_places) % 4096)
    weakref.finalize(array, _give_back, memory)
    return torch.from_numpy(array)


def _give_back(memory: np.ndarray) -> None:
    if _bytes() + memory.nbytes <= IDLE:
        _idle.setdefault(memory.nbytes, []).append(memory)


def _bytes() -> int:
    return sum(size * len(buffers) for size, buffers in list(_idle.items()))
