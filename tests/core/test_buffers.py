"""Buffers: memory comes back when its tensor is gone, and never before."""

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from rnnscope.core.engines import buffers
from rnnscope.core.engines.buffers import blank

ONE = torch.zeros(1)
MEGABYTE = 2**18  # float32


@pytest.fixture(autouse=True)
def _empty(monkeypatch):
    monkeypatch.setattr(buffers, "_idle", [])


def test_shape_and_precision_are_what_was_asked_for():
    for like in (ONE, ONE.double()):
        for shape in ((3, 4), (7, 1024, 300)):
            made = blank(like, *shape)
            assert (made.shape, made.dtype, made.is_contiguous()) == (shape, like.dtype, True)


def test_memory_is_used_again_once_nobody_has_it():
    first = blank(ONE, 7 * MEGABYTE)
    view = first[10:20].numpy()
    del first
    assert buffers._idle == [], "a view still looks at it"
    other = blank(ONE, 7 * MEGABYTE)
    other.fill_(1)
    view[:] = 2
    assert (other == 1).all()
    del view
    gc.collect()
    (kept,) = buffers._idle
    again = blank(ONE, 5 * MEGABYTE)
    assert len(buffers._idle) == 1, "another size takes other memory"
    third = blank(ONE, 7 * MEGABYTE)
    assert buffers._idle == []
    assert np.shares_memory(third.numpy(), kept)
    assert again.numel() != third.numel()


def test_what_has_been_unused_longest_goes_first(monkeypatch):
    monkeypatch.setattr(buffers, "IDLE", 15 * 2**20)
    made = [blank(ONE, size * MEGABYTE) for size in (5, 6, 7)]
    while made:
        made.pop(0)
    assert [memory.nbytes - buffers.LARGE for memory in buffers._idle] == [6 * 2**20, 7 * 2**20]


def test_what_fits_into_a_large_page_can_lie_in_one():
    for size in (buffers.LARGE, 10**6, buffers.PAGE - 4096):
        for made in [blank(ONE, size // 4, together=True) for _ in range(20)]:
            assert made.data_ptr() % buffers.LINE == 0
            assert made.data_ptr() // buffers.PAGE == (made.data_ptr() + size - 1) // buffers.PAGE


def test_threads_never_share_memory():
    def work(n: int) -> bool:
        for _ in range(50):
            mine = blank(ONE, 2 * MEGABYTE)
            mine.fill_(n)
            if not (mine == n).all():
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))
