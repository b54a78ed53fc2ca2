"""Traces of moments of a training, kept for when one comes back to them; the longest unused goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from rnnscope.core.trace import Trace

LARGEST = 2**28  # bytes of all that are kept


class RecentTraces:
    """(run, iteration) -> Trace, within LARGEST bytes; the one that was asked for last is kept however large it is."""

    def __init__(self):
        self._kept: OrderedDict[tuple[int, int], Trace] = OrderedDict()

    def get(self, run: int, iteration: int, make: Callable[[], Trace]) -> Trace:
        """The trace of a run at an iteration; made if it is not here."""
        trace = self._kept.pop((run, iteration), None) or make()
        self._kept[run, iteration] = trace
        while len(self._kept) > 1 and sum(map(size_of, self._kept.values())) > LARGEST:
            self._kept.popitem(last=False)
        return trace

    def forget(self, run: int) -> None:
        """Let go of all traces of a run."""
        for key in [key for key in self._kept if key[0] == run]:
            del self._kept[key]


def size_of(trace: Trace) -> int:
    """Bytes of all arrays of a trace."""
    own = [trace.inputs, trace.outputs, trace.targets, trace.loss, trace.attended and trace.attended.weights]
    of_layers = [array for layer in trace.layers.values() for array in (*layer.signals.values(), *layer.gradients.values())]
    return sum(array.nbytes for array in (*own, *of_layers) if array is not None)
