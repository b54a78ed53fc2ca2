"""Several runs side by side: the same sequences, the same limits, one plot of their reaches, one table."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt

from rnnscope.core.comparison import SEQUENCES, compare
from rnnscope.core.formats import load
from rnnscope.core.memory import portions
from rnnscope.core.reach import QUICK
from rnnscope.core.widths import parameters_of
from rnnscope.figures.numbers import save_numbers
from rnnscope.views.plot import Heatmap
from rnnscope.views.reach import lag_words


@pytest.fixture
def three(window, loaded, saved):
    """Elman, LSTM and RWA on the same task, and a GRU on another."""
    loaded(saved("elman"), saved("lstm"), saved("rwa", units=4), saved("gru", length=20))
    return window


def test_runs_of_one_task_stand_side_by_side_on_the_same_sequences(three):
    assert [run.name for run in three.session.shown] == ["elman", "lstm", "rwa"]
    plot = three.views["hidden"].canvas.plot
    assert plot.columns == 3
    inputs = [run.trace.inputs for run in three.session.shown]
    assert all((array == inputs[0]).all() for array in inputs)
    gradients = list(three.views["gradient"].canvas.plot.panels)
    assert len({(panel.y.low, panel.y.high) for panel in gradients}) == 1
    maps = [mark for panel in plot.panels for mark in panel.marks if isinstance(mark, Heatmap)]
    assert len({(mark.low, mark.high) for mark in maps}) == 1


def test_the_table_gives_the_lags_that_compare_gives(three, tmp_path):
    models = {name: load(tmp_path / f"{name}.safetensors") for name in ("elman", "lstm", "rwa")}
    comparison = compare(models)
    table = three.lags.table
    assert table.rowCount() == 5, "an Elman cell has no gates"
    for row, model in enumerate(comparison.models):
        reach = model.reaches["state_jacobian"]
        places = [r for r in range(table.rowCount()) if table.item(r, 0).toolTip().startswith(f"{model.name}, gradient")]
        assert table.item(places[0], 2).text() == lag_words(reach, reach.lag50)
        np.testing.assert_array_equal(three.session.shown[row].reaches["state_jacobian"].mean, reach.mean)
    assert [table.item(r, 0).text() for r in range(5)] == ["elman", "lstm", "", "rwa", ""]
    text = three.lags.said.text()
    assert text.startswith(f"On these {SEQUENCES} sequences the gradient falls to 1 % at lag ")
    assert all(f"for {name}" in text for name in models)


def test_unticking_takes_a_run_out_and_choosing_another_task_shows_that_task(three, drawn):
    three.panel.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert [run.name for run in three.session.shown] == ["elman", "rwa"]
    drawn()
    assert three.views["hidden"].canvas.plot.columns == 2
    three.panel.list.setCurrentRow(3)
    assert [run.name for run in three.session.shown] == ["gru"]
    assert three.session.cursor.time_steps == 20
    assert three.lags.table.rowCount() == 2


def test_all_reaches_are_in_one_plot_and_its_numbers_in_the_csv(three, tmp_path, qtbot):
    plot = three.views["reach"].plot()
    (panel,) = plot.panels
    assert [name for mark in panel.marks for name in mark.names][:2] == ["elman, gradient", "lstm, gradient"]
    figure, numbers = tmp_path / "reach.svg", tmp_path / "reach.csv"
    three.session.export(plot, figure, {"width_mm": 120}, numbers)
    qtbot.waitUntil(lambda: not three.session.busy, timeout=30_000)
    again = tmp_path / "again.csv"
    save_numbers(plot, again)
    assert numbers.read_bytes() == again.read_bytes()
    assert b"<svg" in figure.read_bytes()[:1000]


@pytest.mark.parametrize("suffix", ["pdf", "svg", "png"])
def test_every_view_can_be_exported(three, tmp_path, qtbot, suffix):
    for name, dock in three.views.items():
        three.session.export(dock.plot(), tmp_path / f"{name}.{suffix}", {"width_mm": 89})
    qtbot.waitUntil(lambda: not three.session.busy, timeout=120_000)
    assert sorted(path.stem for path in tmp_path.glob(f"*.{suffix}")) == sorted(three.views)


def test_an_export_that_cannot_be_written_is_told_in_one_line(three, tmp_path, qtbot):
    with qtbot.waitSignal(three.session.worker.refused, timeout=30_000) as refused:
        three.session.export(three.views["reach"].plot(), tmp_path / "none" / "a.pdf", {"width_mm": 120})
    assert "none" in refused.args[1]
    qtbot.waitUntil(lambda: not three.session.busy, timeout=10_000)


def test_theme_layout_and_size_are_remembered(open_window):
    first = open_window()
    first.set_theme("light")
    first.docks["error"].show()
    first.docks["attention"].hide()
    first.panel.form._model["units"].setValue(17)
    first.resize(700, 750)
    first.close()
    assert QSettings().value("theme") == "light"
    second = open_window()
    assert second.theme.name == "light"
    assert not second.docks["attention"].isVisible()
    assert second.docks["error"].isVisible()
    assert second.panel.form.values()["units"] == 17
    second.reset_layout()
    assert second.docks["attention"].isVisible()


def test_the_theme_repaints_the_plots(three):
    three.set_theme("light")
    light = three.views["hidden"].canvas.grab().toImage().pixelColor(2, 2).name()
    three.set_theme("dark")
    dark = three.views["hidden"].canvas.grab().toImage().pixelColor(2, 2).name()
    assert (light, dark) == ("#ffffff", "#15181c")


def test_a_measurement_shows_progress_and_can_be_given_up(window, saved, qtbot, monkeypatch):
    monkeypatch.setattr(portions, "MEMORY", 1)
    seen = []
    window.session.state.connect(lambda: seen.append((window.session.measuring, window.panel.status.text())))
    stops = window.session.state.connect(lambda: window.session.measuring and window.session.stop())
    window.files.open([saved("lstm", length=200)])
    qtbot.waitUntil(lambda: bool(window.session.runs) and not window.session.busy, timeout=30_000)
    assert any(text == "Measuring how far back lstm reaches" for _, text in seen)
    assert all(measuring is None or measuring[1] < 1 for measuring, _ in seen)
    assert window.session.runs[0].reaches == {}
    assert window.panel.status.text() == "Not training"
    monkeypatch.undo()
    window.session.state.disconnect(stops)
    window.session.measure_shown()
    qtbot.waitUntil(lambda: not window.session.busy, timeout=30_000)
    assert set(window.session.runs[0].reaches) == {"state_jacobian", "direct_weight"}


def test_a_measure_that_is_pressed_is_taken_and_shown_in_curves_table_and_sentence(three, qtbot, drawn):
    three.lags.buttons["connectivity"].click()
    qtbot.waitUntil(lambda: not three.session.busy, timeout=60_000)
    drawn()
    assert all("connectivity" in run.reaches for run in three.session.shown)
    titles = [panel.title for panel in three.views["reach"].canvas.plot.panels]
    assert titles == ["share left of the past", "influence"]
    assert [three.lags.table.item(r, 1).text() for r in range(8)].count("influence") == 3
    three.lags.buttons["connectivity"].click()
    drawn()
    assert [panel.title for panel in three.views["reach"].canvas.plot.panels] == ["share left of the past"]
    assert three.lags.table.rowCount() == 5
    assert not three.session.busy, "nothing is measured again"


def test_each_measure_has_a_button_that_says_what_it_means(window):
    assert [button.text() for button in window.lags.buttons.values()] == [
        "gradient",
        "gates alone",
        "influence",
        "decoding",
        "replacing",
    ]
    assert all(len(button.toolTip()) > 20 for button in window.lags.buttons.values())
    assert [name for name, button in window.lags.buttons.items() if button.isChecked()] == list(QUICK)


def test_the_form_can_match_the_parameters_of_the_current_run(window, loaded, saved):
    loaded(saved("lstm", units=20))
    told = []
    window.session.told.connect(lambda text, _: told.append(text))
    form = window.panel.form
    form.cell.setCurrentIndex(form.cell.findData("elman"))
    window.panel.match_parameters()
    made = form.configuration()
    wanted = parameters_of(window.session.current.configuration)
    counts = [parameters_of(made.model_copy(update={"units": made.units + by})) for by in (-1, 0, 1)]
    assert made.cell == "elman"
    assert abs(counts[1] - wanted) == min(abs(count - wanted) for count in counts)
    assert told[-1] == f"{made.units} units: {counts[1]:,} parameters, nearest to the {wanted:,} of lstm"
