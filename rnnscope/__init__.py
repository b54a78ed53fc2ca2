"""rnnscope: an oscilloscope for recurrent networks.

    model = rnnscope.load("lstm.safetensors")
    trace = rnnscope.record(model, inputs, targets)
    rnnscope.compare([model, other])
    rnnscope.show(model, other)

Nothing heavy is imported until one of these names is used: neither torch nor Qt.
"""

from __future__ import annotations

import os
from importlib import import_module

os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # torch's idle threads else hold their cores for milliseconds

_HOMES = {
    "Configuration": "rnnscope.core.configuration",
    "Model": "rnnscope.core.model",
    "Trace": "rnnscope.core.trace",
    "compare": "rnnscope.core.comparison",
    "load": "rnnscope.core.formats",
    "record": "rnnscope.core.recording",
    "save": "rnnscope.core.formats",
    "show": "rnnscope.app.main",
    "train": "rnnscope.core.training",
    "with_snapshots": "rnnscope.core.training",
}

__all__ = list(_HOMES)
__version__ = "0.1.0"


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'rnnscope' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
