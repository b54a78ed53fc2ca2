"""What mattered to one output: connectivity at a single time step of a single sequence."""

from __future__ import annotations

from rnnscope.core.choice import choose
from rnnscope.core.denormals import flushed
from rnnscope.core.memory.connectivity import connections
from rnnscope.core.memory.portions import Between, nothing
from rnnscope.core.model import Model
from rnnscope.core.sequences import sequences_for
from rnnscope.core.tasks import Batch
from rnnscope.core.trace import Influence


def influence(
    model: Model, batch: Batch, sequence: int, time_step: int, output: int | None = None, between: Between = nothing
) -> Influence:
    """Norm of the gradient of an output, by default of all, at a time step, from 1, with respect to each input.

    Behind the end of the sequence its last time step is meant. Sequences and outputs count from 0. Raises ValueError for an
    output that is not there, and where states or gradients overflow.

    between  called after each portion with the share that is done, 0..1; what it raises ends the work
    """
    time_step = min(time_step, int(batch.lengths[sequence]))
    inputs, layout, _ = sequences_for(model, batch.inputs, **vars(batch.layout))
    one, before = slice(sequence, sequence + 1), model.network.engine
    model.network.engine = before or choose(model, wait=False)
    try:
        with flushed():
            values = connections(model, inputs[:, one], layout.part(one), time_step - 1, output, between=between)
    finally:
        model.network.engine = before
    return Influence(time_step, sequence, output, values[:, 0])
