"""The engines: what runs a cell over time, each one line in ENGINES."""

from rnnscope.core.engines.reference import Unrolled, unroll

ENGINES = {"reference": unroll}

__all__ = ["ENGINES", "Unrolled", "unroll"]
