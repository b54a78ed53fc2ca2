"""One thread: with several the last digits of a product depend on how it was shared out among them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Within, this thread's products are its own, by torch, numpy and scipy; afterwards all is as it was."""
    import scipy.linalg.cython_blas  # noqa: F401  only what is loaded can be limited
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
