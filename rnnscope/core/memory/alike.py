"""The same numbers to the last bit wherever a model is measured: from Python, by a command and in the window."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rnnscope.core.choice import choose
from rnnscope.core.denormals import flushed
from rnnscope.core.engines.kernel_cache import prepare
from rnnscope.core.memory.portions import Between
from rnnscope.core.model import Model
from rnnscope.core.threads import one_thread


@contextmanager
def alike(model: Model, between: Between) -> Iterator[None]:
    """Within, a model runs in one thread and on the engine that is its own where nothing is missing.

    Kernels that are missing are compiled first, by another process, for seconds.
    between  called with 0.0 now and then while they are; what it raises ends the wait
    """
    before = model.network.engine
    if model.device.type == "cpu" and model.configuration.training.engine != "reference":
        for cell in model.network.cells:
            prepare(cell, model.readout.weight.dtype, wait=True, meanwhile=lambda: between(0.0))
    model.network.engine = choose(model, wait=True)
    try:
        with one_thread(), flushed():
            yield
    finally:
        model.network.engine = before
