"""The engines: what runs a cell over time, each one line in ENGINES. All give what the reference gives."""

from functools import partial

from rnnscope.core.engines.fused import fused
from rnnscope.core.engines.reference import NORMS, Unrolled, attached, unroll
from rnnscope.core.engines.vendor import vendor

ENGINES = {"reference": unroll, "vendor": vendor, "fused": fused, "checkpointed": partial(fused, checkpoint=True)}

__all__ = ["ENGINES", "NORMS", "Unrolled", "attached", "unroll"]
