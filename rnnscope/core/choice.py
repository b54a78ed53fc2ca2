"""Which engine runs a model's cells, unless its settings say."""

from __future__ import annotations

from rnnscope.core.engines.cuda import ready
from rnnscope.core.engines.kernel_cache import prepare
from rnnscope.core.engines.vendor import exact
from rnnscope.core.model import Model


def choose(model: Model, wait: bool) -> str:
    """A key of ENGINES for a model where it is now: the fastest that is ready, always the same if kernels are waited for.

    wait  compile kernels that are missing, for seconds; otherwise another process does, for the next time. On CUDA the
          kernels are tried against the reference first, once, which takes seconds in any case
    """
    wanted = model.configuration.training.engine
    cells, device, dtype = list(model.network.cells), model.device, model.readout.weight.dtype
    if wanted in ("reference", "vendor"):
        return wanted
    automatic, theirs = wanted == "auto", all(map(exact, cells))
    if device.type == "cuda":
        if automatic and theirs:
            return "vendor"
        kernels = [ready(cell, dtype, device).bodies for cell in cells]
    elif device.type == "cpu":
        kernels = [prepare(cell, dtype, wait or not automatic) for cell in cells]
    else:
        kernels = []
    if not automatic:
        return wanted
    return "fused" if any(kernels) else "vendor" if theirs else "reference"
