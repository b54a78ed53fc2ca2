"""What a pyramid keeps of long marks at every level, against loops that are slow and plain."""

from __future__ import annotations

import numpy as np
import pytest

from rnnscope.app import pyramids
from rnnscope.app.pyramids import GAP, MARGIN, Columns, Curves, pyramids_of, shade
from rnnscope.views.plot import Axis, Heatmap, Lines, Panel, Plot, Points, Style

LONG = 100_000


def heatmap(values, gaps=True, low=-1, high=1):
    return Heatmap(np.asarray(values), low, high, "signed", "h", gaps=gaps)


def lines(y, x=None, **band):
    y = np.atleast_2d(y)
    x = np.arange(1, y.shape[1] + 1) if x is None else x
    return Lines(x, y, tuple("abcdefgh"[: len(y)]), (Style(),) * len(y), **band)


def backgrounds():
    t = np.arange(LONG)
    return np.stack(
        [
            np.full(LONG, 0.1),
            np.sin(t / 20_000) / 3,
            t / LONG - 0.5,
            np.random.default_rng(0).uniform(-0.1, 0.1, LONG),
        ]
    ).astype(np.float32)


@pytest.mark.parametrize("peak", [1, -1])
@pytest.mark.parametrize("at", [0, 1, 2, 255, 256, 50_000, 65_535, 99_997, LONG - 2, LONG - 1])
def test_a_single_peak_is_in_every_level(peak, at):
    values = backgrounds()
    values[:, at] = peak
    found = Columns.of(heatmap(values))
    code = {1: 255, -1: 1}[peak]
    assert len(found.levels) > 8
    for level, codes in enumerate(found.levels):
        assert codes.shape == (-(-LONG // 2**level), len(values))
        assert codes[at >> level].tolist() == [code] * len(values), f"level {level}"


def test_of_each_block_the_value_farther_from_its_mean_is_kept(monkeypatch):
    monkeypatch.setattr(pyramids, "LEAST", 1)
    monkeypatch.setattr(pyramids, "CHUNK", 40)  # smaller than the data, so that borders of chunks lie within it
    random = np.random.default_rng(1)
    values = random.integers(-9, 10, (3, 256)) / 9
    values[random.random(values.shape) < 0.3] = np.nan
    values[0, 64:128] = np.nan
    codes = shade(heatmap(values)).T.astype(int)  # (rows, time steps)
    for level, found in enumerate(Columns.of(heatmap(values)).levels):
        for row in range(3):
            blocks = codes[row].reshape(-1, 2**level)
            assert found[:, row].tolist() == [_kept(blocks, n) for n in range(len(blocks))], f"level {level}, row {row}"


def _kept(blocks, n):
    """The rule in the words of the docstring."""
    known = blocks[n][blocks[n] != GAP]
    if not len(known):
        return GAP
    low, high = known.min(), known.max()
    for block in (blocks[n], blocks[n - 1 if n else min(1, len(blocks) - 1)]):
        if (block != GAP).any():
            mean = block[block != GAP].mean()
            if abs(high - mean - (mean - low)) > 1e-9:
                return high if high - mean > mean - low else low
    return high


@pytest.mark.parametrize("steps", [1, 2, 255, 257, 511, 1023, 1025, 3001])
def test_any_length_keeps_an_extreme_of_each_block(steps):
    values = np.random.default_rng(steps).uniform(-1, 1, (2, steps))
    levels = Columns.of(heatmap(values)).levels
    for level, codes in enumerate(levels):
        for n, kept in enumerate(codes):
            block = levels[0][n << level : (n + 1) << level]
            assert all(kept[row] in (block[:, row].min(), block[:, row].max()) for row in range(2))


def test_shades_are_the_nearest_of_254_steps():
    values = np.random.default_rng(2).uniform(-1.2, 1.2, (7, 5003)).astype(np.float32)
    exact = ((values.astype(float) + 1) * 127).clip(0, 254)
    assert np.abs(shade(heatmap(values)).T - 1 - exact).max() <= 0.5 + 1e-4
    ends = shade(heatmap([[-1, 1, -9, 9, 3e38, -3e38]]))[:, 0]
    assert ends.tolist() == [1, 255, 1, 255, 255, 1]
    assert shade(heatmap([[True, False]], low=0))[:, 0].tolist() == [255, 1]


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_a_gap_only_where_nothing_else_is_and_is_counted(strange):
    values = np.full((2, LONG), 0.5, np.float32)
    values[1, 40_000:40_600] = strange
    found = Columns.of(heatmap(values, gaps=False))
    assert found.not_finite == 600
    assert Columns.of(heatmap(values)).not_finite == (0 if np.isnan(strange) else 600)
    for level, codes in enumerate(found.levels):
        gaps = np.flatnonzero(codes[:, 1] == GAP)
        assert gaps.tolist() == [n for n in range(len(codes)) if n << level >= 40_000 and (n + 1) << level <= 40_600]
        assert (codes[:, 0] == codes[0, 0]).all()


def test_columns_in_sight_are_at_least_a_pixel_wide_and_no_wider_than_they_need_be():
    found, random = Columns.of(heatmap(np.zeros((1, LONG), np.float32))), np.random.default_rng(3)
    for _ in range(300):
        low, high = np.sort(random.uniform(0.5, LONG + 0.5, 2))
        pixels = random.uniform(100, 2000) / (high - low)
        level, first, end = found.at(low, high, pixels)
        wide = 2**level
        assert level == 0 or MARGIN <= wide * pixels < 2 * MARGIN
        assert first * wide + 0.5 <= low
        assert min(end * wide, LONG) + 0.5 >= high - 1e-6
        assert end - first <= max(pyramids.WHOLE, (high - low) / wide + 2)


def test_columns_of_curves_are_their_extremes_joined_half_way():
    random = np.random.default_rng(4)
    y = random.standard_normal((3, 8192)).cumsum(1).astype(np.float32)
    y[1, 1000:3000] = np.nan
    y[2, 5000] = np.inf
    found = Curves.of(lines(y), log=False)
    for each in (2, 4, 16, 64):  # points per column
        count = 8192 // each
        least, most = found.columns(0.5, 8192.5, count)
        for curve in range(3):
            expected = _joined(y[curve].reshape(count, each))
            np.testing.assert_allclose(least[curve], expected[0], rtol=1e-6)
            np.testing.assert_allclose(most[curve], expected[1], rtol=1e-6)


def _joined(blocks):
    """Smallest and largest of each block, drawn half way to those beside it unless one of the two is broken."""
    known, whole = np.isfinite(blocks), np.isfinite(blocks).all(1)
    least, most = np.where(known, blocks, np.inf).min(1), np.where(known, blocks, -np.inf).max(1)
    low, high = least.copy(), most.copy()
    for n in range(len(blocks) - 1):
        if whole[n] and whole[n + 1]:
            for one, other in ((n, n + 1), (n + 1, n)):
                if most[one] < least[other]:
                    half = (most[one] + least[other]) / 2
                    high[one], low[other] = max(high[one], half), min(low[other], half)
    return low, high


def test_a_peak_of_a_curve_is_in_its_column_at_every_zoom():
    y = np.sin(np.arange(LONG) / 9000)
    y[70_001] = 5
    y[30_000] = -5
    found = Curves.of(lines(y), log=False)
    for width in (LONG, 20_000, 3000, 500):
        for at, peak, which in ((70_002, 5, 1), (30_001, -5, 0)):
            low, high = max(at - width * 0.3, 0.5), min(at + width * 0.7, LONG + 0.5)
            ends = found.columns(low, high, 400)[which][0]
            (place,) = np.flatnonzero(ends == peak)
            assert abs(place + 0.5 - (at - low) / (high - low) * 400) <= 1


def test_one_missing_point_breaks_a_curve_however_far_away():
    y = np.where(np.arange(2**16) < 2**15, 0.0, 1.0)
    for missing in (False, True):
        if missing:
            y[2**15] = np.nan
        least, most = Curves.of(lines(y), log=False).columns(0.5, 2**16 + 0.5, 512)
        crossed = ((least <= 0.5) & (most >= 0.5)).any()
        assert crossed != missing
        assert (least[0] <= most[0]).all(), "and leaves no other hole"


def test_on_a_log_axis_what_has_no_logarithm_is_a_gap():
    found = Curves.of(lines([1.0, 0.0, 100.0, -1.0, np.inf]), log=True)
    np.testing.assert_array_equal(found.y, [[0, np.nan, 2, np.nan, np.nan]])
    assert found.not_finite == 1


def test_a_band_ends_where_its_curve_does():
    y = np.ones(9)
    y[[2, 3, 7]] = np.nan
    found = Curves.of(lines(y, low=np.zeros((1, 9)), high=np.full((1, 9), 2.0)), log=False)
    assert [x.tolist() for x, _, _ in found.outlines(0, 0.5, 9.5, 900)] == [[1, 2], [5, 6, 7], [9]]


def test_curves_that_lie_unevenly_are_drawn_as_they_are():
    x = np.geomspace(1, LONG, 5000)
    found = Curves.of(lines(np.sin(x), x), log=False)
    assert found.density(1, LONG, 10) == 0
    near, y = found.points(10, 20)
    assert near[0] < 10
    assert near[-1] > 20
    np.testing.assert_array_equal(y[0], np.sin(near))


def test_only_what_changed_is_built_anew():
    values, curves = np.random.default_rng(5).random((2, 3, 999), np.float32)
    for array in (values, curves):
        array.flags.writeable = False

    def plot(limit=1.0, log=False, values=values):
        x, y = Axis("time", "t", 0.5, 999.5), Axis("value", "", 0, 1, log=log)
        marks = (heatmap(values[:, :], high=limit), lines(curves[:]), Points(np.zeros(1), np.zeros(1), "unit"))
        return Plot("p", ((Panel("p", x, y, marks),),))

    first = pyramids_of(plot())
    assert first[2] is None
    assert [new is old for new, old in zip(pyramids_of(plot(), first), first, strict=True)] == [True] * 3
    assert pyramids_of(plot(limit=2), first)[0] is not first[0]
    assert pyramids_of(plot(log=True), first)[1] is not first[1]
    assert pyramids_of(plot(values=values.copy()), first)[0] is not first[0], "which somebody may write to"
