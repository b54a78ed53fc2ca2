"""Sequences of unlike lengths: what lies behind the end is NaN and has no influence, whatever it holds."""

import numpy as np
import pytest

from rnnscope.core.cells import CELLS
from rnnscope.core.recording import record

T, B = 7, 3
LENGTHS = np.array([7, 3, 1])
BEHIND = np.arange(T)[:, None] >= LENGTHS


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def arrays(trace):
    named = {"inputs": trace.inputs, "outputs": trace.outputs, "loss": trace.loss}
    return named | dict(trace.signals) | {f"gradient of {part}": norms for part, norms in trace.gradients.items()}


@pytest.mark.parametrize("each_step", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_behind_the_end_is_nan_and_before_it_never(cell, each_step, make_model):
    targets = noise(T, B, 1, seed=1) if each_step else noise(B, 1, seed=1)
    trace = record(make_model(cell), noise(T, B, 2), targets, lengths=LENGTHS)
    for name, values in arrays(trace).items():
        nan = np.isnan(values).reshape(T, B, -1)
        np.testing.assert_array_equal(nan.all(-1), BEHIND, err_msg=name)
        np.testing.assert_array_equal(nan.any(-1), BEHIND, err_msg=name)


@pytest.mark.parametrize("padding", [100.0, 1e30, np.nan, np.inf], ids=str)
@pytest.mark.parametrize("each_step", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_padding_leaks_into_nothing(cell, each_step, padding, make_model):
    model, inputs = make_model(cell), noise(T, B, 2)
    targets = noise(T, B, 1, seed=1) if each_step else noise(B, 1, seed=1)
    plain = arrays(record(model, inputs, targets, lengths=LENGTHS))
    inputs[BEHIND] = padding
    if each_step:
        targets[BEHIND] = padding
    for name, values in arrays(record(model, inputs, targets, lengths=LENGTHS)).items():
        np.testing.assert_array_equal(values, plain[name], err_msg=name)


@pytest.mark.parametrize("cell", CELLS)
def test_each_is_what_it_is_alone(cell, make_model):
    model, inputs, targets = make_model(cell), noise(T, B, 2), noise(B, 1, seed=1)
    together = arrays(record(model, inputs, targets, lengths=LENGTHS))
    for b, length in enumerate(LENGTHS):
        for name, values in arrays(record(model, inputs[:length, b], targets[b : b + 1])).items():
            share = B if name.startswith("gradient") else 1  # the scored loss is an average over the batch
            expected = share * together[name][:length, b]
            np.testing.assert_allclose(expected, values[:, 0], rtol=1e-4, atol=1e-6, err_msg=name)


def test_weight_behind_the_end_does_not_count(make_model):
    model, inputs, targets = make_model("gru"), noise(T, B, 2), noise(T, B, 1, seed=1)
    everywhere = record(model, inputs, targets, weights=np.ones((T, B), np.float32), lengths=LENGTHS)
    expected = record(model, inputs, targets, weights=(~BEHIND).astype(np.float32), lengths=LENGTHS)
    for part, norms in expected.gradients.items():
        np.testing.assert_array_equal(everywhere.gradients[part], norms, err_msg=part)


@pytest.mark.parametrize("padding", [1, 9, -100, -1])
def test_padded_classes_leak_into_nothing(padding, make_model):
    model, inputs = make_model("gru", task="digits"), noise(T, B, 1)
    classes = np.random.default_rng(0).integers(0, 10, (T, B))
    plain = arrays(record(model, inputs, classes, lengths=LENGTHS))
    classes[BEHIND] = padding
    for name, values in arrays(record(model, inputs, classes, lengths=LENGTHS)).items():
        np.testing.assert_array_equal(values, plain[name], err_msg=name)


@pytest.mark.parametrize("cell", CELLS)
def test_a_trace_can_be_recorded_again(cell, make_model):
    """Its read-only inputs, NaN behind the ends, are inputs like any other."""
    model = make_model(cell)
    once = record(model, noise(T, B, 2), noise(T, B, 1, seed=1), lengths=LENGTHS)
    again = record(model, once.inputs, once.targets, lengths=once.lengths)
    for name, values in arrays(once).items():
        np.testing.assert_array_equal(arrays(again)[name], values, err_msg=name)
