"""How far back: one measure per file, each (model, inputs, layout, chain, between) -> Reach, or None without a meaning."""

from rnnscope.core.memory.causal import causal
from rnnscope.core.memory.connectivity import connectivity
from rnnscope.core.memory.context_loss import context_loss
from rnnscope.core.memory.decoding import decoding
from rnnscope.core.memory.direct_weight import direct_weight
from rnnscope.core.memory.solved_length import solved_length
from rnnscope.core.memory.state_jacobian import state_jacobian

MEASURES = {
    "state_jacobian": state_jacobian,
    "direct_weight": direct_weight,
    "connectivity": connectivity,
    "decoding": decoding,
    "causal": causal,
    "context_loss": context_loss,
    "solved_length": solved_length,
}

__all__ = ["MEASURES"]
