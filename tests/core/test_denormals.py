"""Denormal numbers are 0 within, and what they were before and after."""

import pytest
import torch

from rnnscope.core.denormals import flushed
from rnnscope.core.training import train

TINY = torch.full((4,), 1e-40)


def kept():
    return bool((TINY * 0.5).any())


@pytest.mark.parametrize("before", [False, True])
def test_within_they_are_0_and_afterwards_as_before(before):
    torch.set_flush_denormal(before)
    try:
        assert kept() != before
        with flushed():
            assert not kept()
        assert kept() != before
        with pytest.raises(ZeroDivisionError), flushed():
            raise ZeroDivisionError
        assert kept() != before
    finally:
        torch.set_flush_denormal(False)


def test_between_iterations_the_callers_thread_is_as_it_was(make_model):
    for _ in train(make_model("gru", training={"iterations": 3, "batch": 2})):
        assert kept()
