"""How the sequences of the tasks are spread: against lists of all of them, and against what the papers say."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from rnnscope.core.tasks import TASKS
from rnnscope.core.tasks.task import one_hot


def draw(name, batch, seed=0, **settings):
    task = TASKS[name](**settings)
    return task, task.draw(np.random.default_rng(seed), batch)


def strings(task, batch):
    """Each sequence by the names of its symbols."""
    shown = batch.inputs.argmax(-1)
    return ["".join(task.channels[c] for c in shown[:n, b]) for b, n in enumerate(batch.lengths)]


def assert_spread(found, expected):
    """Counts of what was drawn agree with probabilities, each within 5 standard errors."""
    counts, total = Counter(found), len(found)
    assert set(counts) <= set(expected)
    assert math.isclose(sum(expected.values()), 1)
    for thing, share in expected.items():
        assert abs(counts[thing] / total - share) < 5 * math.sqrt(share * (1 - share) / total), thing


def entropy_of_next(probabilities, answers):
    """Entropy of the answers where the current symbol is known, over all time steps, from a list of all strings."""
    joint = Counter()
    for string, probability in probabilities.items():
        for pair in zip(string, answers(string), strict=False):
            joint[pair] += probability
    of_symbol = Counter()
    for (symbol, _), weight in joint.items():
        of_symbol[symbol] += weight
    return sum(w * math.log(of_symbol[symbol] / w) for (symbol, _), w in joint.items()) / sum(joint.values())


REBER = {0: "B1", 1: "T2 P3", 2: "S2 X4", 3: "T3 V5", 4: "X3 S6", 5: "P4 V6", 6: "E7"}


def all_reber(longest):
    """Every embedded string with its probability, among those whose inner string is not too long."""
    open_strings, inner = {("", 0): 1.0}, {}
    while open_strings:
        (string, state), chance = open_strings.popitem()
        if state == 7:
            inner[string] = chance
        elif len(string) < longest:
            arcs = REBER[state].split()
            for arc in arcs:
                open_strings[string + arc[0], int(arc[1])] = chance / len(arcs)
    within = sum(inner.values())
    return {f"B{outer}{string}{outer}E": chance / within / 2 for string, chance in inner.items() for outer in "TP"}


@pytest.mark.parametrize("longest", [5, 9])
def test_embedded_reber_strings_are_as_likely_as_the_grammar_says(longest):
    expected = all_reber(longest)
    task, batch = draw("reber", 20_000, length=longest)
    assert_spread([string + "E" for string in strings(task, batch)], expected)
    assert task.baseline == pytest.approx(entropy_of_next(expected, lambda string: string[1:]), rel=1e-12)


def test_reber_strings_are_as_long_as_those_of_the_literature():
    _, batch = draw("reber", 100_000, length=1000)
    inner = batch.lengths - 3
    assert inner.min() == 5
    assert inner.mean() == pytest.approx(8, abs=0.05)
    assert np.quantile(inner, 0.99) == 20


def test_the_score_of_reber_asks_for_the_last_but_one_symbol_only():
    task, batch = draw("reber", 50, length=9)
    outputs = np.zeros((*batch.targets.shape, 7))
    asked = np.arange(len(outputs))[:, None] == batch.lengths - 2
    assert set(batch.targets[asked]) == {task.channels.index(symbol) for symbol in "TP"}
    outputs[asked] = np.eye(7)[batch.targets[asked]]
    assert task.score(outputs, batch) == 1
    always_t = np.tile(np.eye(7)[task.channels.index("T")], (*batch.targets.shape, 1))
    assert 0.2 < task.score(always_t, batch) < 0.8


def all_dyck(length, kinds, depth):
    """Every balanced string of a length that never has more than `depth` brackets open."""
    openers, pairs = "([{<"[:kinds], dict(zip("([{<", ")]}>", strict=True))

    def grow(string, due):
        if len(string) == length:
            return [string] if not due else []
        found = [s for opener in openers if len(due) < depth for s in grow(string + opener, due + pairs[opener])]
        return found + (grow(string + due[-1], due[:-1]) if due else [])

    return grow("", "")


def next_closers(string):
    due = [""]
    for bracket in string:
        if bracket in "([{<":
            due.append(bracket)
        else:
            due.pop()
        yield due[-1]


@pytest.mark.parametrize(("longest", "kinds", "depth"), [(6, 2, 2), (9, 1, 3), (6, 2, 3)])
def test_balanced_strings_of_a_length_are_equally_likely(longest, kinds, depth):
    lengths = range(2, longest + 1, 2)
    of_length = {length: all_dyck(length, kinds, depth) for length in lengths}
    expected = {s: 1 / len(lengths) / len(found) for found in of_length.values() for s in found}
    task, batch = draw("dyck", 20_000, length=longest, kinds=kinds, depth=depth)
    assert_spread(strings(task, batch), expected)
    assert task.baseline == pytest.approx(entropy_of_next(expected, next_closers), rel=1e-12)


def test_the_longest_balanced_strings_keep_within_the_depth():
    task, batch = draw("dyck", 3, length=10_000, depth=3)
    assert batch.lengths.max() > 2000
    signs = np.where(batch.inputs[..., : task.kinds].any(-1), 1, -1) * batch.weights
    depth = signs.cumsum(0)
    assert (depth.min(), depth.max()) == (0, 3)
    assert not depth[-1].any()


def test_the_wait_of_variable_copy_is_uniform():
    task, batch = draw("variable_copy", 20_000, length=4, symbols=2)
    waits = batch.inputs[..., -1].argmax(0) - task.symbols
    assert_spread(waits.tolist(), dict.fromkeys(range(4), 1 / 4))


def test_the_four_orders_are_equally_likely_at_every_pair_of_places():
    _, batch = draw("temporal_order", 20_000, length=20)
    first, second = np.sort(np.argsort(~batch.inputs[..., :2].any(-1).T, axis=1, kind="stable")[:, :2]).T
    expected = dict.fromkeys(itertools.product((2, 3), (10, 11), range(4)), 1 / 16)
    assert_spread(list(zip(first.tolist(), second.tolist(), batch.targets[-1].tolist(), strict=True)), expected)


@pytest.mark.parametrize("pulse", [0.05, 0.4])
def test_pulses_are_as_frequent_as_asked_and_have_either_sign(pulse):
    _, batch = draw("flip_flop", 2000, length=11, pulse=pulse)
    assert_spread(batch.inputs[1:].astype(int).ravel().tolist(), {-1: pulse / 2, 0: 1 - pulse, 1: pulse / 2})


def test_attractors_are_as_frequent_as_asked_and_any_other_place():
    task, batch = draw("agreement", 5000, length=6, places=4, attractors=0.3)
    words = batch.inputs.argmax(-1)
    filler, place = words[5:-3], words[4]
    first = task.inputs - task.places
    assert_spread((filler >= first).ravel().tolist(), {True: 0.3, False: 0.7})
    others = (filler - place)[filler >= first] % task.places
    assert_spread(others.tolist(), dict.fromkeys((1, 2, 3), 1 / 3))
    plain = draw("agreement", 500, length=6, attractors=0)[1].inputs.argmax(-1)
    assert (plain[5:-3] < first).all()


def test_the_order_of_permuted_digits_is_fixed_and_everywhere_the_same():
    digits, permuted, other = TASKS["digits"](), TASKS["permuted_digits"](), TASKS["permuted_digits"](seed=1)
    assert sorted(permuted.order.tolist()) == list(range(64))
    assert (permuted.order != np.arange(64)).sum() > 55
    assert (permuted.order != other.order).sum() > 55
    np.testing.assert_array_equal(permuted.order, TASKS["permuted_digits"]().order)
    pairs = [
        (digits.evaluation(), permuted.evaluation()),
        (digits.draw(np.random.default_rng(5), 7), permuted.draw(np.random.default_rng(5), 7)),
    ]
    for plain, shuffled in pairs:
        np.testing.assert_array_equal(shuffled.inputs, plain.inputs[permuted.order])
        np.testing.assert_array_equal(shuffled.targets, plain.targets)
    assert permuted.picture is None


def test_a_code_of_minus_one_is_no_channel():
    np.testing.assert_array_equal(one_hot(np.array([[0, -1], [2, 1]]), 3), [[[1, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 1, 0]]])
