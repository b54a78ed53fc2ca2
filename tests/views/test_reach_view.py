"""How far back: the level below which nothing is claimed, and what lags are counted in."""

from dataclasses import replace

import numpy as np
import pytest

from rnnscope.core.reach import Reach
from rnnscope.views import VIEWS, Position
from rnnscope.views.reach import HOURS


def panel(make_subject, measure, *floors, curve=(0.9, 0.5, 0.2), along="forward"):
    """The panel of runs that have one measure each, with these floors."""
    curves = np.array(curve)[:, None] * np.array([0.9, 1.0])
    made = [Reach.from_sequences(measure, curves, geometric=False, floor=floor) for floor in floors]
    subjects = [make_subject(f"run {n}", reaches={measure: replace(reach, along=along)}) for n, reach in enumerate(made)]
    (found,) = VIEWS["reach"](subjects, Position()).panels
    return found


def test_what_chance_gives_is_a_level_of_decoding(make_subject):
    assert panel(make_subject, "decoding", 0.08).y.levels == ((0.08, "chance"),)


@pytest.mark.parametrize("measure", ["causal", "connectivity"])
def test_where_rounding_begins_is_a_level_of_a_log_axis(make_subject, measure):
    found = panel(make_subject, measure, 2e-4)
    assert found.y.log
    assert found.y.levels == ((2e-4, "noise floor"),)


def test_several_floors_are_one_level_the_largest_named_so_where_they_differ(make_subject):
    assert panel(make_subject, "decoding", 0.100, 0.104, 0.102).y.levels == ((0.104, "chance"),)
    assert panel(make_subject, "decoding", 0.10, 0.12).y.levels == ((0.12, "chance, largest"),)
    assert panel(make_subject, "causal", 1e-3, 2e-3).y.levels == ((2e-3, "noise floor, largest"),)


def test_a_floor_out_of_sight_is_no_level(make_subject):
    assert panel(make_subject, "causal", 1e-6).y.levels == ()
    assert panel(make_subject, "solved_length", 1e-30).y.levels == ()
    shares = panel(make_subject, "state_jacobian", 1e-30)
    assert [name for _, name in shares.y.levels] == ["50 %", "1 %"]
    assert [name for _, name in panel(make_subject, "state_jacobian", 1e-3).y.levels] == ["50 %", "1 %", "noise floor"]


def test_the_level_ends_the_curve(make_subject):
    found = panel(make_subject, "causal", 0.3)
    ((level, _),) = found.y.levels
    shown = found.marks[0].y[0]
    np.testing.assert_array_equal(np.isnan(shown), [False, False, True])
    assert (shown[:2] > level).all()


def test_lags_of_trees_alone_count_nodes(make_subject):
    assert panel(make_subject, "connectivity", 1e-9, along="tree").x.label == "nodes up"
    assert panel(make_subject, "connectivity", 1e-9, along="backward").x.label == "time steps back"
    reach = Reach.from_sequences("connectivity", np.array([[0.9], [0.5]]))
    both = [make_subject("a", reaches={"connectivity": reach}), make_subject("b")]
    both[1] = replace(both[1], reaches={"connectivity": replace(reach, along="tree")})
    (mixed,) = VIEWS["reach"](both, Position()).panels
    assert mixed.x.label == "time steps back"


def test_how_many_trainings_is_said():
    assert "21 fresh models" in HOURS
