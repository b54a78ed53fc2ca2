"""The share of an old memory that the gates themselves let through."""

from __future__ import annotations

import numpy as np
import torch

from rnnscope.core.attention import retention_logs, up_to_root
from rnnscope.core.layout import Layout
from rnnscope.core.memory.chunks import Chunk, by_chunks, lone_layer
from rnnscope.core.memory.lags import by_lag, lags_of
from rnnscope.core.memory.portions import Between, in_portions, nothing
from rnnscope.core.model import Model
from rnnscope.core.networks import Chain
from rnnscope.core.reach import Reach


def direct_weight(
    model: Model, inputs: torch.Tensor, layout: Layout, chain: Chain, between: Between = nothing
) -> Reach | None:
    """Share of the memory at T-k that is left at T on the direct path, averaged over units; None where nothing says so.

    LSTM: product of the forget gates since. GRU: product of the update gates. RWA: the attention that still lies on the
    moments up to T-k, which is D_(T-k) / D_T and the derivative of the average on its direct path. All exact; of several
    layers the last one counts. With attention over the whole sequence: the weight of moments up to T-k in the last query.
    One layer is run by chunks, in memory that hardly grows with T.
    inputs (T, B, I) and layout as from `sequences_for`; `between` as in `in_portions`, or after each chunk.
    """
    layers = model.network.direct_path(chain)
    signals = [model.network.layers[name].signals for name in layers]
    if not model.network.attends and not (signals and all("log_retention" in known for known in signals)):
        return None
    if lone := lone_layer(model, chain):
        left = by_chunks(model, [lone], inputs, lambda part: _Left(layout.part(part), len(inputs)), between)
    else:
        left = in_portions(model, inputs, lambda part: _left(model, inputs[:, part], layout.part(part), chain), between)
    return Reach.from_sequences("direct_weight", by_lag(left, lags_of(layout, chain, len(inputs))))


class _Left:
    """Share of the memory at each time step of a chunk that is left at the end, (C, B); the newest chunk comes first."""

    def __init__(self, layout: Layout, steps: int):
        self.within = layout.within(steps)
        self.since: np.ndarray | float = 0.0  # log of the share that all later chunks keep, (B, H)

    def __call__(self, chunk: Chunk) -> np.ndarray:
        """Waits for the device."""
        with torch.no_grad():
            signals = chunk.run(record=True)[0].signals
        logs = signals["log_retention"].cpu().double().numpy()
        logs[~self.within[chunk.first : chunk.last]] = 0
        after = retention_logs(logs) + self.since
        self.since = after[0] + logs[0]
        return np.exp(after).mean(-1)


def _left(model: Model, inputs: torch.Tensor, layout: Layout, chain: Chain) -> np.ndarray:
    """Share of the memory at each time step that is left at the end of the chain: (T, B). Waits for the device."""
    network, steps = model.network, len(inputs)
    with torch.no_grad():
        ran = network.run(inputs, layout, record=True)
    if network.attends:
        last = layout.lengths - 1 - ran.first_query
        return ran.attended.cpu().double().numpy()[last, :, np.arange(len(last))].cumsum(1).T
    logs = np.zeros((*inputs.shape[:2], ran.layers[chain.layers[-1]].signals["hidden"].shape[-1]))
    for name in network.direct_path(chain):
        working = network.active(name, layout, steps)
        logs[working] = ran.layers[name].signals["log_retention"].cpu().double().numpy()[working]
    if chain.along == "tree":
        return np.exp(up_to_root(logs, layout.parents)).mean(-1)
    if chain.along == "backward":
        return np.exp(retention_logs(logs[::-1])[::-1]).mean(-1)
    return np.exp(retention_logs(logs)).mean(-1)
