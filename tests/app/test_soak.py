"""A window that is worked with for long: the same work again leaves nothing behind, and nothing is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LAPS = 7  # counts go up and down by two; over five laps that can look like a leak


@pytest.fixture
def soak(monkeypatch):
    """The benchmark that does this for hours: here few and small laps of its hand."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import soak

    return soak


def test_the_same_work_again_and_again_leaves_nothing_behind(window, soak, tmp_path, capsys, idle):
    said, hand = [], soak.Hand(window, tmp_path, quick=True)
    window.session.worker.refused.connect(lambda run, text: said.append(text))
    window.session.worker.failed.connect(lambda run, text, details: said.append(details))
    hand.lap()
    in_qt = soak.of_qt(window)
    in_python = []
    for _ in range(LAPS):
        hand.lap()
        idle()
        in_python.append(soak.of_python())
    assert soak.slope(in_python, range(LAPS)) < 1, f"one object left in each lap would be a leak: {in_python}"
    assert soak.of_qt(window) == in_qt
    assert said == []
    assert capsys.readouterr().err == ""
