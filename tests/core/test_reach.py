"""Reach: when closed-form curves fall to a share, and how sequences become a mean with its spread."""

import math

import numpy as np
import pytest

from rnnscope.core.reach import Reach


def reach(curve):
    return Reach.from_sequences("test", np.asarray(curve, float).reshape(len(curve), -1))


@pytest.mark.parametrize("share", [0.9, 0.5, 0.01])
@pytest.mark.parametrize("tau", [0.3, 2.0, 17.5])
def test_an_exponential_falls_at_its_time_constant(tau, share):
    curve = reach(np.exp(-np.arange(200) / tau))
    expected = -tau * math.log(share)
    assert curve.falls_to(share) == pytest.approx(expected, rel=1e-9)


def test_a_power_law_falls_between_two_lags():
    curve = reach(1 / (1 + np.arange(150)))
    assert curve.lag50 == pytest.approx(1, rel=1e-12)
    assert curve.lag1 == pytest.approx(99, rel=1e-12)
    between = 1 + math.log(2 / 2.5) / math.log(2 / 3)  # log-linear between 1/2 at lag 1 and 1/3 at lag 2
    assert curve.falls_to(0.4) == pytest.approx(between, rel=1e-12)


def test_the_share_is_of_lag_0():
    assert reach([8.0, 6, 4, 2]).lag50 == pytest.approx(2)


def test_what_comes_back_was_not_lost():
    curve = reach([1.0, 0.4, 2, 0.2, 0.001])
    assert curve.lag50 == pytest.approx(2 + math.log(4) / math.log(10))  # log-linear between 2 at lag 2 and 0.2 at lag 3
    assert reach([1.0, 0.1, 0.7]).lag50 is None


@pytest.mark.parametrize("curve", [[1.0], [1, 1, 1], [1, 0.9, 0.6], [1, 2, 4]])
def test_none_where_it_never_falls(curve):
    assert reach(curve).lag50 is None
    assert reach(curve).lag1 is None


def test_what_vanishes_falls_within_finite_lags():
    vanished = reach([1.0, 0.0, 0.0])
    assert 0 < vanished.lag50 < vanished.lag1 < 1
    for part in (vanished.mean, vanished.low, vanished.high):
        assert np.isfinite(part).all()
        assert (part >= 0).all()


def test_the_mean_is_geometric_over_the_sequences_that_are_long_enough():
    curves = np.array([[1.0, 1, 1], [0.1, 0.4, np.nan], [0.2, np.nan, np.nan]])
    found = Reach.from_sequences("test", curves)
    assert found.lags.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.mean, [1, 0.2, 0.2])
    np.testing.assert_allclose(found.high, [1, 0.4, 0.2])  # a factor of 2 around 0.2: 0.1 and 0.4
    np.testing.assert_allclose(found.low, [1, 0.1, 0.2])
