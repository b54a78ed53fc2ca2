"""The CSV beside a figure holds what the figure shows."""

import csv
import math

import numpy as np
import pytest

from rnnscope.core import files
from rnnscope.figures import numbers, save_numbers
from rnnscope.views import VIEWS


@pytest.mark.parametrize(("view", "runs"), [(view, runs) for view in VIEWS for runs in (1, 3)])
def test_reading_the_csv_gives_the_plots_numbers_back(plots, tmp_path, view, runs):
    save_numbers(plots[view, runs], tmp_path / "numbers.csv")
    with (tmp_path / "numbers.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["run", "quantity", "series", "axis", "x", "value", "low", "high"]
    expected = list(plots[view, runs].numbers())
    assert plots[view, runs].size == len(expected)
    assert [tuple(row[:4]) for row in rows] == [row[:4] for row in expected]
    for row, given in zip(rows, expected, strict=True):
        for text, value in zip(row[4:], given[4:], strict=True):
            if value == "" or math.isnan(value):
                assert text == ""
            else:
                assert float(text) == value


def test_a_gap_is_empty_and_a_comma_in_a_name_does_no_harm(curves, tmp_path):
    save_numbers(curves([0.1, np.nan], name='a, "b"'), tmp_path / "numbers.csv")
    lines = (tmp_path / "numbers.csv").read_text(encoding="utf-8").splitlines()
    assert lines[1:] == [',a title,"a, ""b""",time,1,0.1,,', ',a title,"a, ""b""",time,2,,,']


def test_writing_numbers_tells_how_far_it_is_and_can_be_ended(curves, tmp_path, monkeypatch):
    """An old file stays."""
    monkeypatch.setattr(numbers, "PART", 2)
    path, plot, done = tmp_path / "numbers.csv", curves([0.1, 0.2, 0.3, 0.4, 0.5]), []
    save_numbers(plot, path, done.append)
    assert done == [0.4, 0.8, 1.0]
    before = path.read_bytes()

    def enough(share):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        save_numbers(curves([1.0, 2.0, 3.0]), path, enough)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_are_written_whole_or_not_at_all(curves, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        save_numbers(curves(), tmp_path / "numbers.csv")
    assert list(tmp_path.iterdir()) == []
