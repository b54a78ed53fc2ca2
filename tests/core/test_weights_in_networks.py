"""What the past weighs in a memory that flows backward, up a tree, or on from a source: against what the cell holds."""

import numpy as np
import pytest

from rnnscope.core.attention import left_of_past, spread_of_past, time_scales, weights_of_past
from rnnscope.core.recording import record

LENGTHS, SOURCES = np.array([9, 6, 3]), np.array([4, 5, 1])
PARENTS = np.array(
    [[2, 2, 2], [2, 5, 2], [8, 3, -1], [5, 4, -1], [5, 5, -1], [7, -1, -1], [7, -1, -1], [8, -1, -1], [-1] * 3]
)
NETWORKS = [
    ("stack", {}, "adding", {}, {}),
    ("bidirectional", {}, "flip_flop", {}, {}),
    ("bidirectional", {"layers": 2}, "adding", {}, {}),
    ("encoder_decoder", {"context": "attention"}, "dates", {}, {"sources": SOURCES}),
    ("encoder_decoder", {"context": "every_step"}, "dates", {}, {"sources": SOURCES}),
    ("encoder_decoder", {"context": "state"}, "dates", {}, {"sources": SOURCES}),
    ("tree_lstm", {}, "nested_lists", {"arguments": 4}, {"parents": PARENTS}),
]


def traced(make_model, cell, network, settings, task, options, layout):
    model = make_model(cell, task, 5, network=network, network_settings=settings, **options)
    inputs = 2 * np.random.default_rng(0).standard_normal((9, 3, model.network.inputs))
    trace = record(model, inputs, lengths=LENGTHS, **layout)
    return model, [trace.of_layer(name) for name in trace.layers]


def known_at(trace, t, b):
    """Moments that have been read at time step t: up to it, from it on, or the nodes below it."""
    along, moments = trace.layers[trace.layer].along, np.arange(9)
    if along == "forward":
        return moments <= t
    if along == "backward":
        return (moments >= t) & (moments < trace.lengths[b])
    below = moments == t
    for node in range(t - 1, -1, -1):
        below[node] = below[trace.parents[node, b]]
    return below


@pytest.mark.parametrize(("network", "settings", "task", "options", "layout"), NETWORKS, ids=lambda value: str(value)[:30])
def test_an_lstm_cell_is_the_weighted_sum_of_its_candidates(network, settings, task, options, layout, make_model):
    _, traces = traced(make_model, "lstm", network, settings, task, options, layout)
    for trace in traces:
        for b, length in enumerate(LENGTHS):
            for t in range(9):
                weights, left = weights_of_past(trace, t, b), left_of_past(trace, t, b)
                known = known_at(trace, t, b) if t < length else np.zeros(9, bool)
                assert (np.isnan(weights).any(-1) == ~known).all()
                assert (np.isnan(left).any(-1) == ~known).all()
                if t < length:
                    assert (left[t] == 1).all()
                    held = (weights * trace.signals["candidate"][:, b])[known].sum(0)
                    np.testing.assert_allclose(held, trace.signals["cell"][t, b], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("cell", ["rwa", "rda", "lstm", "cifg", "gru", "mingru", "slstm", "lru"])
@pytest.mark.parametrize(
    ("network", "settings", "task", "options", "layout"), NETWORKS[:-1], ids=lambda value: str(value)[:30]
)
def test_mean_lag_and_entropy_are_those_of_the_weights(cell, network, settings, task, options, layout, make_model):
    """Of the weights made to sum to 1: those of a running average do by themselves, also where it goes on from a source."""
    _, traces = traced(make_model, cell, network, settings, task, options, layout)
    for trace in traces:
        for b, length in enumerate(LENGTHS):
            for t in range(length):
                weights = np.nan_to_num(weights_of_past(trace, t, b))
                if cell in ("rwa", "rda"):
                    np.testing.assert_allclose(weights.sum(0), 1, rtol=1e-4)
                weights /= weights.sum(0)
                lag = (weights * np.abs(t - np.arange(9))[:, None]).sum(0)
                entropy = -(weights * np.log(np.maximum(weights, 1e-300))).sum(0)
                np.testing.assert_allclose(spread_of_past(trace, b)[0, t], lag, rtol=1e-3, atol=1e-5)
                np.testing.assert_allclose(spread_of_past(trace, b)[1, t], entropy, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("cell", ["rwa", "rda", "lstm", "cifg", "gru", "mingru", "slstm", "lru"])
@pytest.mark.parametrize(("network", "settings", "task", "options", "layout"), NETWORKS, ids=lambda value: str(value)[:30])
def test_time_scales_are_e_folds_of_what_is_left(cell, network, settings, task, options, layout, make_model):
    """The second route: what is left of the first moment, or of each node in its parent, at the end of every sequence."""
    if network == "tree_lstm" and cell != "lstm":
        return
    _, traces = traced(make_model, cell, network, settings, task, options, layout)
    for trace in traces:
        logs, steps, along = 0.0, 0, trace.layers[trace.layer].along
        for b, length in enumerate(LENGTHS):
            for t in range(length):
                if along == "tree":
                    before = [node for node in range(t) if trace.parents[node, b] == t]
                else:
                    before = (
                        [t - 1] if along == "forward" and t else [t + 1] if along == "backward" and t < length - 1 else []
                    )
                left = left_of_past(trace, t, b)
                for node in before:
                    if left[node].all():  # else a decoder's memory begins
                        logs, steps = logs + np.log(left[node]), steps + 1
        np.testing.assert_allclose(time_scales(trace), -steps / logs, rtol=1e-6)


def test_a_decoder_with_a_memory_of_its_own_holds_nothing_of_the_source(make_model):
    for context, holds in (("attention", False), ("every_step", False), ("state", True)):
        for cell in ("lstm", "gru", "rwa", "lru"):
            arguments = "encoder_decoder", {"context": context}, "dates", {}, {"sources": SOURCES}
            _, (trace,) = traced(make_model, cell, *arguments)
            for b, (length, source) in enumerate(zip(LENGTHS, SOURCES, strict=True)):
                weights = weights_of_past(trace, length - 1, b)
                assert (weights[:source] > 0).all() == holds
                assert (weights[:source] != 0).any() == holds
