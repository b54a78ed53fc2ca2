"""Subjects from models, and the table of a comparison."""

import numpy as np
import pytest

from rnnscope.core.comparison import Compared, Comparison, compare
from rnnscope.core.reach import Reach
from rnnscope.core.tasks.task import PROBE_SEQUENCES as SEQUENCES
from rnnscope.figures import table
from rnnscope.figures.subjects import check_one_task, measured_subjects, subject, subjects
from rnnscope.views.subject import style_of


def test_a_subject_is_recorded_on_the_first_sequences_of_the_evaluation_batch(make_model):
    model = make_model(length=6, iterations=5)
    made = subject("a", model)
    batch = model.task.evaluation()
    np.testing.assert_array_equal(made.trace.inputs, batch.inputs[:, :SEQUENCES])
    np.testing.assert_array_equal(made.trace.targets, batch.targets[:, :SEQUENCES])
    assert made.trace.gradients["state"].shape == (6, SEQUENCES)
    assert (made.name, made.history, made.facts) == ("a", model.history, model.task.facts())


def test_the_second_run_of_a_cell_has_its_colour_and_another_dash(make_model):
    models = {name: make_model(cell, length=6) for name, cell in (("a", "rwa"), ("b", "lstm"), ("c", "rwa"))}
    expected = [style_of(3), style_of(1), style_of(3, 1)]
    assert [made.style for made in subjects(models)] == expected
    measured = measured_subjects(models, compare(models, sequences=2))
    assert [made.style for made in measured] == expected
    assert [set(made.reaches) for made in measured] == [{"state_jacobian", "direct_weight"}] * 3
    assert all(made.trace is None for made in measured)


def test_another_task_is_refused_and_other_settings_where_asked(make_model):
    models = {"a": make_model(length=6), "b": make_model(length=7)}
    with pytest.raises(ValueError, match=r"^b: made for the task adding \(length 7.*but a for .*length 6"):
        subjects(models)
    check_one_task(models, same_settings=False)
    with pytest.raises(ValueError, match="b: made for the task digits, but a"):
        check_one_task({"a": make_model(length=6), "b": make_model("gru", "digits")}, same_settings=False)


@pytest.fixture
def comparison():
    k = np.arange(12)
    fast, slow = (Reach.from_sequences("m", np.stack([share**k] * 2, 1)) for share in (0.5, 0.99))
    one = Compared("a|b", "lstm", "adding", {"state_jacobian": fast, "direct_weight": slow})
    return Comparison((one, Compared("c", "elman", "adding", {"new_measure": fast})))


def test_the_table_has_a_row_per_measure_and_says_what_is_beyond_the_measured_lags(comparison):
    assert table.rows(comparison) == [
        ("a|b", "lstm", "gradient", "1.0 [1.0, 1.0]", "6.6 [6.6, 6.6]", "exponential, e-fold in 1.44 steps (100 %)"),
        ("a|b", "lstm", "gates alone", "> 11", "> 11", "exponential, e-fold in 99.5 steps (100 %)"),
        ("c", "elman", "new measure", "1.0 [1.0, 1.0]", "6.6 [6.6, 6.6]", "exponential, e-fold in 1.44 steps (100 %)"),
    ]


def test_the_table_as_text_is_aligned(comparison):
    lines = table.plain(comparison).splitlines()
    assert lines[0] == "run  cell   measure            50 % lag         1 % lag  falls like"
    assert lines[2].startswith("a|b  lstm   gates alone            > 11            > 11  exponential, ")
    assert len({line.index("e-fold") for line in lines[1:]}) == 1


def test_the_table_as_markdown_has_as_many_cells_in_each_row(comparison):
    lines = table.markdown(comparison).splitlines()
    assert lines[1] == "| --- | --- | --- | ---: | ---: | --- |"
    assert lines[2].startswith(r"| a\|b | lstm | gradient | 1.0 [1.0, 1.0] | 6.6 [6.6, 6.6] | exponential")
    assert {line.replace(r"\|", "").count("|") for line in lines} == {7}
