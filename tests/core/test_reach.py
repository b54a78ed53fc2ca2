"""Reach: when closed-form curves fall to a share, and how sequences become a mean with its spread."""

import math

import numpy as np
import pytest

from rnnscope.core.reach import Reach, falls_to


def reach(curve):
    return Reach.from_sequences("test", np.asarray(curve, float).reshape(len(curve), -1))


@pytest.mark.parametrize("share", [0.9, 0.5, 0.01])
@pytest.mark.parametrize("tau", [0.3, 2.0, 17.5])
def test_an_exponential_falls_at_its_time_constant(tau, share):
    curve = reach(np.exp(-np.arange(200) / tau))
    expected = -tau * math.log(share)
    assert falls_to(curve.mean, curve.lags, share) == pytest.approx(expected, rel=1e-9)


def test_a_power_law_falls_between_two_lags():
    curve = reach(1 / (1 + np.arange(150)))
    assert curve.lag50.value == pytest.approx(1, rel=1e-12)
    assert curve.lag1.value == pytest.approx(99, rel=1e-12)
    between = 1 + math.log(2 / 2.5) / math.log(2 / 3)  # log-linear between 1/2 at lag 1 and 1/3 at lag 2
    assert falls_to(curve.mean, curve.lags, 0.4) == pytest.approx(between, rel=1e-12)


def test_what_begins_below_zero_falls_nowhere():
    curves = np.array([[-1.0, -0.1, -0.001], [0.0, 0.1, 0.0], [1.0, -0.5, -1.0]])
    assert falls_to(curves, np.arange(3), 0.5)[:2].tolist() == [np.inf, np.inf]
    assert 0 < falls_to(curves, np.arange(3), 0.5)[2] < 1
    none = Reach.from_sequences("context_loss", -np.ones((3, 4)), geometric=False)
    assert (none.lag50.value, none.lag1.value, none.law) == (None, None, None)


def test_what_falls_below_a_measured_floor_falls_in_a_straight_line():
    curve, lags = np.array([[1, 0.9, 0.8, 0.7, last, 0] for last in (-0.001, 0.0, 1e-7)]), np.array([0, 1, 2, 3, 50, 60])
    found = Reach.from_sequences("context_loss", curve[1, :, None], lags=lags, geometric=False, floor=1e-6)
    assert found.lag50.value == pytest.approx(3 + 47 * 2 / 7)
    np.testing.assert_allclose(falls_to(curve, lags, 0.5, 1e-6), 3 + 47 * 2 / 7, rtol=1e-2)
    np.testing.assert_allclose(falls_to(curve, lags, 0.5), [3.2, 3.2, 4], atol=0.1)


def test_the_total_is_the_sum_above_the_floor_with_straight_lines_across_lags_left_out():
    whole = 1 - np.arange(101) / 100
    lags = np.array([0, 1, 2, 5, 20, 60, 90, 100])
    for floor, expected in ((1e-9, whole.sum()), (0.2, whole[:61].sum() + 0.4 * 29 / 2)):
        found = Reach.from_sequences("test", whole[lags, None], lags=lags, floor=floor)
        assert found.total.value == pytest.approx(expected, rel=1e-9)
    several = Reach.from_sequences("test", whole[:, None] * np.linspace(0.5, 1.5, 50), geometric=False)
    assert several.total.value == pytest.approx(whole.sum())
    assert several.total.low == pytest.approx(several.total.value * 0.92, rel=0.02)
    assert several.total.low + several.total.high == pytest.approx(2 * several.total.value, rel=0.02)


def test_the_share_is_of_lag_0():
    assert reach([8.0, 6, 4, 2]).lag50.value == pytest.approx(2)


def test_what_comes_back_was_not_lost():
    curve = reach([1.0, 0.4, 2, 0.2, 0.001])
    assert curve.lag50.value == pytest.approx(
        2 + math.log(4) / math.log(10)
    )  # log-linear between 2 at lag 2 and 0.2 at lag 3
    assert reach([1.0, 0.1, 0.7]).lag50.value is None


@pytest.mark.parametrize("curve", [[1.0], [1, 1, 1], [1, 0.9, 0.6], [1, 2, 4]])
def test_none_where_it_never_falls(curve):
    assert reach(curve).lag50.value is None
    assert reach(curve).lag1.value is None


def test_what_vanishes_falls_within_finite_lags():
    vanished = reach([1.0, 0.0, 0.0])
    assert 0 < vanished.lag50.value < vanished.lag1.value < 1
    assert np.isfinite(vanished.mean).all()
    assert np.isnan([vanished.low, vanished.high]).all(), "one sequence says nothing of others"


def test_the_mean_is_geometric_over_the_sequences_that_are_long_enough():
    curves = np.array([[1.0, 1, 1], [0.1, 0.4, np.nan], [0.2, np.nan, np.nan]])
    found = Reach.from_sequences("test", curves)
    assert found.lags.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.mean, [1, 0.2, 0.2])
    np.testing.assert_allclose(found.high, [1, 0.4, 0.2])  # resamples hold one or both of 0.1 and 0.4
    np.testing.assert_allclose(found.low, [1, 0.1, 0.2])


@pytest.mark.parametrize("sequences", [10, 20, 50])
def test_intervals_hold_the_truth_in_about_95_of_100_repetitions(sequences):
    """Each sequence decays at a rate of its own around 0.1 per time step."""
    random, held = np.random.default_rng(sequences), np.zeros(3)
    for _ in range(400):
        rates = random.normal(0.1, 0.01, sequences)
        found = Reach.from_sequences("test", np.exp(-rates * np.arange(99)[:, None]))
        held[0] += found.low[30] <= math.exp(-3) <= found.high[30]
        for n, (lag, share) in enumerate(((found.lag50, 0.5), (found.lag1, 0.01)), 1):
            held[n] += lag.low <= -math.log(share) / 0.1 <= lag.high
    assert np.all((held / 400 > 0.91) & (held / 400 < 0.99)), held / 400


def test_intervals_of_models_joined_hold_what_models_have_in_common():
    """Models differ more than sequences do: an interval over sequences alone would be too short by far."""
    random, alone, joined = np.random.default_rng(0), 0, 0
    for _ in range(200):
        of_models, of_sequences = random.normal(0, 0.02, 8), random.normal(0, 0.002, 20)
        curves = np.exp(-np.arange(40)[:, None, None] * (0.1 + of_models[:, None] + of_sequences))
        reaches = [Reach.from_sequences("test", curves[:, m]) for m in range(8)]
        whole = Reach.joined(reaches)
        alone += reaches[0].low[20] <= math.exp(-2) <= reaches[0].high[20]
        joined += whole.low[20] <= math.exp(-2) <= whole.high[20]
    assert 0.88 < joined / 200 <= 1
    assert alone / 200 < 0.3


@pytest.mark.parametrize("geometric", [True, False])
def test_weights_count(geometric):
    curves, weights = np.array([[1.0, 1], [0.2, 0.6]]), np.array([[1.0, 1], [3, 1]])
    found = Reach.from_sequences("test", curves, weights=weights, geometric=geometric)
    expected = 0.2**0.75 * 0.6**0.25 if geometric else 0.3
    np.testing.assert_allclose(found.mean, [1, expected])


def test_the_law_of_an_exponential_and_of_a_power():
    lags, noise = np.arange(200.0)[:, None], np.exp(np.random.default_rng(0).normal(0, 0.1, (200, 30)))
    law = Reach.from_sequences("test", np.exp(-lags / 12.5) * noise).law
    assert (law.name, law.share) == ("exponential", 1)
    assert law.rate == pytest.approx(-1 / 12.5, rel=0.02)
    law = Reach.from_sequences("test", (1 + lags) ** -1.5 * noise).law
    assert (law.name, law.share) == ("power law", 1)
    assert law.fit > 0.98
    assert law.better > 5
    law = Reach.from_sequences("test", np.maximum(lags, 1) ** -1.5 * np.ones(30)).law
    assert law.exponent == pytest.approx(-1.5, rel=1e-9)


def test_no_law_below_the_floor_nor_of_what_stays():
    lags = np.arange(100.0)[:, None]
    assert reach(np.ones(50)).law is None
    assert Reach.from_sequences("test", np.exp(-lags), floor=0.03).law is None, "three lags are above it"
    found = Reach.from_sequences("test", np.where(lags < 20, np.exp(-lags / 5), 0.01), floor=0.015)
    assert found.law.rate == pytest.approx(-1 / 5, rel=1e-9)


def test_a_long_curve_has_its_interval_at_all_lags():
    rates = np.linspace(1e-4, 2e-4, 7)
    found = Reach.from_sequences("test", np.exp(-np.arange(30_000)[:, None] * rates))
    assert (found.low[1:] < found.mean[1:]).all()
    assert (found.mean[1:] < found.high[1:]).all()
    assert found.lag50.value == pytest.approx(math.log(2) / rates.mean(), rel=1e-6)
    assert found.law.rate == pytest.approx(-rates.mean(), rel=1e-6)
