"""Every task: its batches, its targets recomputed from the inputs by hand, and the baseline it states."""

import math

import numpy as np
import pytest
import torch

from rnnscope.core.losses import LOSSES
from rnnscope.core.settings import SettingsError, make
from rnnscope.core.tasks import TASKS
from rnnscope.core.tasks.copy_memory import ALPHABET, BLANK, MARKER

SETTINGS = [
    ("adding", {"length": 9}),
    ("adding", {"length": 2}),
    ("adding", {"length": 9, "marks": "halves"}),
    ("copy", {"length": 5, "symbols": 3}),
    ("copy", {"length": 1, "symbols": 1}),
    ("length", {"length": 9}),
    ("length", {"length": 2}),
    ("digits", {}),
]


def drawn(name, settings, batch=40, seed=0):
    task = make(TASKS[name], settings)
    return task, task.draw(np.random.default_rng(seed), batch)


def test_every_task_is_here():
    assert {name for name, _ in SETTINGS} == set(TASKS) == set(ANSWERS)


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=str)
@pytest.mark.parametrize("batch", [1, 40])
def test_shapes_and_types(name, settings, batch):
    task, found = drawn(name, settings, batch)
    steps = len(found.inputs)
    assert found.inputs.shape == (steps, batch, task.inputs)
    assert (found.inputs.dtype, found.weights.dtype, found.lengths.dtype) == (np.float32, np.float32, np.int64)
    values = task.loss == "mean_squared_error"
    assert found.targets.dtype == (np.float32 if values else np.int64)
    assert found.targets.shape == ((steps, batch, task.outputs) if values else (steps, batch))
    assert found.weights.shape == (steps, batch)
    assert found.lengths.shape == (batch,)
    assert found.lengths.min() >= 1
    assert found.lengths.max() <= steps
    assert len(task.channels) == task.inputs
    assert found.weights.sum(0).min() > 0  # every sequence is asked something,
    assert not found.weights[np.arange(steps)[:, None] >= found.lengths].any()  # and nothing behind its end
    first = found.first(1)
    assert first.inputs.shape == (steps, 1, task.inputs)
    np.testing.assert_array_equal(first.targets, found.targets[:, :1])


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=str)
def test_the_generator_decides_alone(name, settings):
    (_, one), (_, same), (_, other) = (drawn(name, settings, seed=seed) for seed in (1, 1, 2))
    for field in ("inputs", "targets", "weights", "lengths"):
        np.testing.assert_array_equal(getattr(one, field), getattr(same, field))
    assert not np.array_equal(one.inputs, other.inputs)
    task = make(TASKS[name], settings)
    np.testing.assert_array_equal(task.evaluation().inputs, task.evaluation().inputs)


def adding(task, inputs, targets, weights, length):
    marked = [t for t in range(length) if inputs[t][1] == 1]
    assert len(marked) == 2
    assert all(mark in (0, 1) for _, mark in inputs)
    if task.marks == "halves":
        assert marked[0] < length // 2 <= marked[1]
    assert all(0 <= value < 1 for value, _ in inputs)
    assert weights == [0] * (length - 1) + [1]
    return [[inputs[marked[0]][0] + inputs[marked[1]][0]]] * length


def copy(task, inputs, targets, weights, length):
    shown = [row.index(1) for row in inputs]
    assert all(sum(row) == 1 for row in inputs)
    assert length == task.length + 2 * task.symbols
    marker = shown.index(MARKER)
    assert marker == length - task.symbols - 1  # the recall begins right behind it
    assert all(BLANK < symbol <= ALPHABET for symbol in shown[: task.symbols])
    assert all(s == BLANK for t, s in enumerate(shown) if t >= task.symbols and t != marker)
    assert weights == [1] * length
    return [BLANK] * (marker + 1) + shown[: task.symbols]


def length(task, inputs, targets, weights, length):
    assert all(0 <= value < 1 for (value,) in inputs)
    assert all(value == 0 for (value,) in inputs[length:])
    assert [t for t, weight in enumerate(weights) if weight] == [length - 1]
    return [int(2 * length > task.length)] * len(inputs)


def digits(task, inputs, targets, weights, length):
    """The class of the picture in scikit-learn's set with these pixels."""
    from sklearn.datasets import load_digits

    data = load_digits()
    (found,) = {int(data.target[n]) for n in np.flatnonzero((data.data == 16 * np.array(inputs).T).all(1))}
    assert weights == [0] * 63 + [1]
    return [found] * 64


ANSWERS = {"adding": adding, "copy": copy, "length": length, "digits": digits}


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=str)
def test_targets_follow_from_the_inputs(name, settings):
    task, batch = drawn(name, settings)
    for b in range(40):
        of_b = (batch.inputs[:, b].tolist(), batch.targets[:, b].tolist(), batch.weights[:, b].tolist())
        answers = ANSWERS[name](task, *of_b, int(batch.lengths[b]))
        np.testing.assert_allclose(of_b[1], answers, rtol=1e-6)


def without_memory(task, batch):
    """Outputs that know how far the end is, but nothing that was read: the best fixed answer for each such moment."""
    from_end = batch.lengths - 1 - np.arange(len(batch.inputs))[:, None]  # (T, B)
    outputs = np.zeros((*from_end.shape, task.outputs), np.float64)
    for moment in np.unique(from_end[batch.weights > 0]):
        here = (from_end == moment) & (batch.weights > 0)
        if task.loss == "mean_squared_error":
            outputs[here] = batch.targets[here].mean(0)
        elif task.loss == "binary_cross_entropy":
            share = batch.targets[here].mean()
            outputs[here] = math.log(share / (1 - share))
        else:
            share = np.bincount(batch.targets[here], minlength=task.outputs) / here.sum()
            outputs[here] = np.log(np.maximum(share, 1e-12))
    return outputs


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=str)
def test_the_baseline_is_the_best_without_memory(name, settings):
    task, batch = drawn(name, settings, 20_000)
    outputs = torch.from_numpy(without_memory(task, batch))
    losses = LOSSES[task.loss](outputs, torch.from_numpy(batch.targets)).numpy() * batch.weights
    of_sequences = losses.sum(0) / batch.weights.sum(0)
    error = of_sequences.std() / math.sqrt(len(of_sequences))
    assert of_sequences.mean() == pytest.approx(task.baseline, abs=4 * error + 5e-4)
    assert task.baseline_words


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=str)
def test_right_answers_get_the_best_score_and_wrong_ones_do_not(name, settings):
    task, batch = drawn(name, settings)
    if task.loss == "mean_squared_error":
        assert task.score(batch.targets, batch) == 0
        assert task.score(batch.targets + 0.5, batch) == pytest.approx(0.25, rel=1e-5)
        return
    if task.outputs == 1:
        right = (2.0 * batch.targets - 1)[..., None]
        wrong = -right
    else:
        right = np.eye(task.outputs)[batch.targets]
        wrong = np.eye(task.outputs)[(batch.targets + 1) % task.outputs]
    assert task.score(right, batch) == 1
    assert task.score(wrong, batch) == 0
    half = np.where(np.arange(40)[:, None] < 10, right, wrong)
    assert task.score(half, batch) == pytest.approx(0.25)


def test_digits_are_split_once_and_fairly():
    task = TASKS["digits"]()
    test = task.evaluation()
    assert test.inputs.shape == (64, 360, 1)
    train = task.draw(np.random.default_rng(0), 40_000)  # 28 draws of each of the 1437: all of them turn up
    pictures = {picture.tobytes(): label for picture, label in zip(train.inputs[..., 0].T, train.targets[0], strict=True)}
    assert len(pictures) == 1437
    assert not {picture.tobytes() for picture in test.inputs[..., 0].T} & set(pictures)
    in_test, in_train = np.bincount(test.targets[0]), np.bincount(list(pictures.values()))
    np.testing.assert_allclose(in_test / (in_test + in_train), 360 / 1797, atol=0.004)


@pytest.mark.parametrize(
    ("name", "settings", "named"),
    [
        ("adding", {"length": 1}, "length: expected greater than or equal to 2; got 1"),
        ("adding", {"length": "many"}, "length: expected .*integer.*; got 'many'"),
        ("adding", {"length": 2.5}, "length: expected .*; got 2.5"),
        ("adding", {"marks": "nowhere"}, "marks: expected 'anywhere' or 'halves'; got 'nowhere'"),
        ("copy", {"length": 0}, "length: expected .*; got 0"),
        ("copy", {"symbols": 0}, "symbols: expected .*; got 0"),
        ("copy", {"symbols": 1001}, "symbols: expected .*; got 1001"),
        ("length", {"length": 100_001}, "length: expected less than or equal to 100000; got 100001"),
        ("digits", {"length": 64}, "length: there is no such setting; expected one of: none"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(name, settings, named):
    with pytest.raises(SettingsError, match=f"^the task {named}$"):
        make(TASKS[name], settings, "the task")
