"""The weight of the past at the cursor, recomputed by a plain loop."""

import math

import numpy as np
import pytest

from rnnscope.views import VIEWS, Position


def by_hand(trace, t, sequence, unit):
    """Weight of moments 0..t: written then, and kept ever since."""
    kept, written = (trace.signals[name][:, sequence, unit].astype(float) for name in ("log_retention", "log_write"))
    weights = []
    for j in range(t + 1):
        weight = math.exp(written[j])
        for s in range(j + 1, t + 1):
            weight *= math.exp(kept[s])
        weights.append(weight)
    return weights


def test_weights_are_products_of_what_was_written_and_kept(make_subject):
    subject = make_subject(units=3)
    (panel,) = VIEWS["attention"]([subject], Position(5, 1, 2)).panels
    mean, unit = panel.marks[0].y
    expected = np.array([by_hand(subject.trace, 4, 1, h) for h in range(3)])
    np.testing.assert_allclose(unit[:5], expected[2], rtol=1e-6)
    np.testing.assert_allclose(mean[:5], expected.mean(0), rtol=1e-6)
    assert np.isnan(panel.marks[0].y[:, 5:]).all()
    assert panel.marks[0].names == ("mean over units", "unit 2")


def test_attention_logits_weigh_as_their_softmax(make_subject):
    logits = np.random.default_rng(0).normal(0, 2, (6, 2, 3))
    mass = np.logaddexp.accumulate(logits)
    kept = np.concatenate([np.full((1, 2, 3), -np.inf), mass[:-1] - mass[1:]])
    subject = make_subject(signals={"attention_logit": logits, "log_write": logits - mass, "log_retention": kept})
    (panel,) = VIEWS["attention"]([subject], Position(4, 0, 1)).panels
    expected = np.exp(logits[:4, 0, 1]) / np.exp(logits[:4, 0, 1]).sum()
    np.testing.assert_allclose(panel.marks[0].y[1, :4], expected, rtol=1e-5)


@pytest.mark.parametrize(("time_step", "unit"), [(6, 2), (60, 20)])
def test_a_cursor_beyond_the_run_stands_at_its_end(make_subject, time_step, unit):
    (panel,) = VIEWS["attention"]([make_subject(steps=6, units=3)], Position(time_step, 0, unit)).panels
    assert panel.title.endswith("t = 6")
    assert panel.marks[0].names[1] == "unit 2"
    assert np.isfinite(panel.marks[0].y).all()


def test_a_cell_without_gates_says_so(make_subject):
    subject = make_subject(signals={"log_retention": None})
    (panel,) = VIEWS["attention"]([subject], Position()).panels
    assert panel.marks == ()
    assert "no gates" in panel.empty
