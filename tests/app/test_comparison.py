"""Several runs side by side: the same sequences, the same limits, one plot of their reaches, one table."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from PySide6.QtCore import QSettings, Qt

from rnnscope.core.comparison import SEQUENCES, compare
from rnnscope.core.configuration import Configuration
from rnnscope.core.formats import load, save
from rnnscope.core.memory import MEASURES, portions
from rnnscope.core.model import Model
from rnnscope.core.reach import QUICK, TRAINING
from rnnscope.core.settings import make
from rnnscope.core.training import train
from rnnscope.core.widths import parameters_of
from rnnscope.figures.numbers import save_numbers
from rnnscope.views.plot import Heatmap
from rnnscope.views.reach import lag_words, law_words

AT_ONCE = tuple(name for name in MEASURES if name != TRAINING)
ASKED = tuple(name for name in AT_ONCE if name not in QUICK)


@pytest.fixture
def three(window, loaded, saved):
    """Elman, LSTM and RWA on the same task, and a GRU on another."""
    loaded(saved("elman"), saved("lstm"), saved("rwa", units=4), saved("gru", length=20))
    return window


def written(window):
    """The texts of the table of lags, row by row."""
    table = window.lags.table
    return [[table.item(r, c).text() for c in range(table.columnCount())] for r in range(table.rowCount())]


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
    rows = written(three)
    for row, model in zip(rows, comparison.models, strict=False):
        reach = model.reaches["state_jacobian"]
        assert row[2:] == [lag_words(reach, reach.lag50), lag_words(reach, reach.lag1), law_words(reach)]
    assert [row[0] for row in rows] == ["gradient", "", "", "gates alone", ""]
    assert [row[1] for row in rows] == ["elman", "lstm", "rwa", "lstm", "rwa"], "an Elman cell has no gates"
    assert three.lags.table.item(1, 4).toolTip().startswith("lstm, gradient: ")
    text = three.lags.said.text()
    assert text.startswith(f"On these {SEQUENCES} sequences the gradient falls to 1 % at lag ")
    assert all(f"for {name}" in text for name in models)


def test_all_measures_and_lags_are_in_sight_in_a_small_window(window, loaded, saved, drawn):
    window.resize(1366, 768)
    loaded(*(saved(cell, length=100, name=f"{cell}-adding") for cell in ("lstm", "gru", "elman")))
    drawn()
    table, page = window.lags.table, window.lags.widget()
    assert all(page.rect().contains(button.geometry()) for button in window.lags.buttons.values())
    assert not table.horizontalScrollBar().maximum()
    for column in (2, 3):
        widest = max(table.fontMetrics().horizontalAdvance(row[column]) for row in written(window))
        assert table.columnWidth(column) > widest


def test_the_window_has_to_the_last_bit_what_compare_says(three, tmp_path, idle):
    for name in ASKED:
        three.lags.buttons[name].click()
    idle()
    hints = [three.lags.table.item(row, 4).toolTip() for row in range(three.lags.table.rowCount())]
    assert sum("Linear memory capacity" in hint for hint in hints) == len(three.session.shown)
    names = ("elman", "lstm", "rwa")
    comparison = compare({name: load(tmp_path / f"{name}.safetensors") for name in names}, measures=AT_ONCE)
    for run, model in zip(three.session.shown, comparison.models, strict=True):
        assert set(run.reaches) == set(model.reaches)
        for measure, reach in model.reaches.items():
            found = run.reaches[measure]
            assert (found.lag50, found.lag1, found.law, found.floor) == (reach.lag50, reach.lag1, reach.law, reach.floor)
            for part in ("lags", "mean", "low", "high", "curves"):
                np.testing.assert_array_equal(getattr(found, part), getattr(reach, part))


def test_unticking_takes_a_run_out_and_choosing_another_task_shows_that_task(three, drawn):
    three.panel.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert [run.name for run in three.session.shown] == ["elman", "rwa"]
    drawn()
    assert three.views["hidden"].canvas.plot.columns == 2
    three.panel.list.setCurrentRow(3)
    assert [run.name for run in three.session.shown] == ["gru"]
    assert three.session.cursor.time_steps == 20
    assert [row[1] for row in written(three)] == ["gru", "gru"]


def test_all_reaches_are_in_one_plot_and_its_numbers_in_the_csv(three, tmp_path, idle):
    plot = three.views["reach"].canvas.plot
    (panel,) = plot.panels
    assert [name for mark in panel.marks for name in mark.names][:2] == ["elman, gradient", "lstm, gradient"]
    figure, numbers = tmp_path / "reach.svg", tmp_path / "reach.csv"
    three.session.export("reach", figure, {"width_mm": 120}, numbers)
    idle()
    again = tmp_path / "again.csv"
    save_numbers(plot, again)
    assert numbers.read_bytes() == again.read_bytes()
    assert b"<svg" in figure.read_bytes()[:1000]


@pytest.mark.parametrize("suffix", ["pdf", "svg", "png"])
def test_every_view_can_be_exported(three, tmp_path, suffix, idle):
    for name in three.views:
        three.session.export(name, tmp_path / f"{name}.{suffix}", {"width_mm": 89})
    idle()
    assert sorted(path.stem for path in tmp_path.glob(f"*.{suffix}")) == sorted(three.views)


def test_an_export_that_cannot_be_written_is_told_in_one_line(three, tmp_path, qtbot, idle):
    with qtbot.waitSignal(three.session.worker.refused, timeout=30_000) as refused:
        three.session.export("reach", tmp_path / "none" / "a.pdf", {"width_mm": 120})
    assert "none" in refused.args[1]
    idle()


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


def test_the_theme_repaints_the_plots(three, drawn):
    three.set_theme("light")
    drawn()
    light = three.views["hidden"].canvas.grab().toImage().pixelColor(2, 2).name()
    three.set_theme("dark")
    drawn()
    dark = three.views["hidden"].canvas.grab().toImage().pixelColor(2, 2).name()
    assert (light, dark) == ("#ffffff", "#15181c")


def test_a_measurement_shows_progress_and_can_be_given_up(window, saved, qtbot, monkeypatch, idle):
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
    idle()
    assert set(window.session.runs[0].reaches) == {"state_jacobian", "direct_weight"}


def test_a_measure_that_is_pressed_is_taken_and_shown_in_curves_table_and_sentence(three, drawn, idle):
    three.lags.buttons["connectivity"].click()
    idle()
    assert all("connectivity" in run.reaches for run in three.session.shown)
    titles = [panel.title for panel in three.views["reach"].canvas.plot.panels]
    assert titles == ["share left of the past", "influence"]
    assert [row[:2] for row in written(three)[5:]] == [["influence", "elman"], ["", "lstm"], ["", "rwa"]]
    assert all(all(row[2:]) for row in written(three))
    three.lags.buttons["connectivity"].click()
    drawn()
    assert [panel.title for panel in three.views["reach"].canvas.plot.panels] == ["share left of the past"]
    assert len(written(three)) == 5
    assert not three.session.busy, "nothing is measured again"


def test_each_measure_has_a_button_that_says_what_it_means(window):
    assert [button.text() for button in window.lags.buttons.values()] == [
        "gradient",
        "gates alone",
        "influence",
        "decoding",
        "replacing",
        "context",
        "solved",
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


@pytest.fixture
def briefly(monkeypatch, tmp_path):
    """Solved lengths in seconds: at two delays, three seeds each; counts updates. (cell) -> path of a model."""
    monkeypatch.setattr(sys.modules["rnnscope.core.memory.solved_length"], "DELAYS", (2, 3))
    updates = []

    def counted(model, **how):
        for update in train(model, **how):
            updates.append(update)
            yield update

    monkeypatch.setattr(sys.modules["rnnscope.core.memory.solved_length"], "train", counted)

    def write(cell="lstm", iterations=60, **settings):
        training = {"iterations": iterations, "batch": 4, "device": "cpu"}
        values = {"cell": cell, "task": "adding", "units": 4, "task_settings": {"length": 12}, "training": training}
        save(Model(make(Configuration, values)), tmp_path / f"{cell}.safetensors")
        return tmp_path / f"{cell}.safetensors"

    write.updates = updates
    return write


def test_solved_lengths_are_measured_when_asked_for_and_never_by_themselves(window, loaded, briefly, idle):
    loaded(briefly("lstm"))
    button, said = window.lags.buttons["solved_length"], []
    window.session.state.connect(lambda: said.append(window.lags.said.text()))
    button.click()
    idle()
    run = window.session.runs[0]
    assert run.reaches["solved_length"].lags.tolist() == [0, 2, 3]
    assert written(window)[-1][:2] == ["solved", "lstm"]
    assert any("21 fresh models" in text and "Run > Stop" in text for text in said)
    assert "fresh models" not in window.lags.said.text()
    assert "minutes to hours" in button.toolTip()
    count = len(briefly.updates)
    assert count == 6 * 60
    loaded(briefly("gru"))
    window.session.choose(run)
    window.panel.train_on()
    idle()
    assert len(briefly.updates) == count, "neither for a run that came nor for one whose training ended"
    assert "solved_length" not in window.session.runs[1].reaches


def test_what_comes_meanwhile_passes_and_no_training_is_lost(window, loaded, briefly, qtbot, idle):
    """A run that is loaded is measured, and a model is trained, before the first one's solved length is known."""
    loaded(briefly("lstm", iterations=150))
    window.lags.buttons["solved_length"].click()
    qtbot.waitUntil(lambda: len(briefly.updates) > 20)
    window.files.open([briefly("gru")])
    qtbot.waitUntil(lambda: len(window.session.runs) == 2 and bool(window.session.runs[1].reaches), timeout=30_000)
    first, second = window.session.runs
    assert "solved_length" not in first.reaches
    window.session.choose(second)
    window.session.train_on(second.configuration.training.model_copy(update={"iterations": 5}))
    qtbot.waitUntil(lambda: len(second.history) == 5, timeout=30_000)
    assert "solved_length" not in first.reaches
    idle()
    assert first.reaches["solved_length"].lags.tolist() == [0, 2, 3]
    assert len(briefly.updates) == 6 * 150


@pytest.mark.parametrize("how", ["stop", "button", "remove"])
def test_solved_lengths_can_be_given_up(window, loaded, briefly, qtbot, how, idle):
    loaded(briefly("lstm", iterations=100_000))
    button = window.lags.buttons["solved_length"]
    button.click()
    qtbot.waitUntil(lambda: len(briefly.updates) > 20)
    if how == "stop":
        window.session.stop()
    elif how == "button":
        button.click()
    else:
        window.session.remove(window.session.runs[0])
    idle()
    assert window.panel.status.text() == "Not training"
    assert not any("solved_length" in run.reaches for run in window.session.runs)


def test_the_window_closes_while_fresh_models_are_trained(window, loaded, briefly, qtbot):
    loaded(briefly("lstm", iterations=100_000))
    window.lags.buttons["solved_length"].click()
    qtbot.waitUntil(lambda: len(briefly.updates) > 20)
    window.close()
    assert not window.session or not window.session.worker.isRunning()


STRANGE = {
    "a tree": {"cell": "lstm", "task": "nested_lists", "network": "tree_lstm", "units": 4},
    "both ways": {"cell": "gru", "task": "adding", "network": "bidirectional", "task_settings": {"length": 12}},
    "hardly any time": {"cell": "gru", "task": "length", "task_settings": {"length": 2}, "units": 3},
    "attention": {"cell": "gru", "task": "dates", "network": "encoder_decoder", "units": 4},
    "wide": {"cell": "elman", "task": "adding", "units": 1000, "task_settings": {"length": 12}},
    "NaN": {"cell": "lstm", "task": "adding", "units": 5, "task_settings": {"length": 12}},
}


def strange(name, folder):
    """A model that measures may not be made for."""
    model = Model(make(Configuration, {"training": {"device": "cpu"}} | STRANGE[name]))
    if name == "NaN":
        with torch.no_grad():
            model.readout.weight.fill_(torch.nan)
            model.network.cells[0].weight_h.fill_(torch.nan)
    return model


@pytest.mark.parametrize("name", STRANGE)
def test_every_measure_of_a_strange_model_is_there_or_refused_in_a_sentence(window, tmp_path, name, idle):
    failed, told = [], []
    window.session.worker.failed.connect(lambda *args: failed.append(args))
    window.session.told.connect(lambda text, details: told.append((text, details)))
    window.session.adopt(name, strange(name, tmp_path))
    idle()
    for measure in ASKED:
        window.lags.buttons[measure].click()
    idle()
    assert not failed
    assert all(not details for _, details in told)
    if name == "NaN":
        assert told
        assert all("overflow" in text for text, _ in told)
    else:
        assert not told
        assert "connectivity" in {key.partition(", ")[0] for key in window.session.runs[0].reaches}
    if name == "a tree":
        assert [panel.x.label for panel in window.views["reach"].canvas.plot.panels] == ["nodes up"] * 2


def test_all_measures_in_any_order_while_runs_come_train_and_go(window, saved, briefly, qtbot, idle):
    """Nothing fails, nothing hangs, and what is left has every measure."""
    failed = []
    window.session.worker.failed.connect(lambda *args: failed.append(args))
    random, buttons = np.random.default_rng(0), window.lags.buttons
    window.files.open([saved("lstm"), saved("rwa", units=4), saved("gru", length=20)])
    qtbot.waitUntil(lambda: len(window.session.runs) == 3, timeout=30_000)
    window.session.train(make(Configuration, {"cell": "elman", "training": {"iterations": 40, "device": "cpu"}}))
    for n in range(40):
        buttons[list(buttons)[random.integers(len(buttons))]].click()
        if n == 10:
            window.session.remove(window.session.runs[0])
        if n == 20:
            window.session.adopt("tree", strange("a tree", None))
        if n % 7 == 0:
            window.session.stop()
        window.session.choose(window.session.runs[random.integers(len(window.session.runs))])
        qtbot.wait(int(random.integers(30)))
    if buttons["solved_length"].isChecked():
        buttons["solved_length"].click()
    idle()
    for name, button in buttons.items():
        if not button.isChecked() and name != "solved_length":
            button.click()
    idle()
    window.session.measure_shown()
    idle()
    assert not failed
    for run in window.session.shown:
        assert {key.partition(", ")[0] for key in run.reaches} >= {"state_jacobian", "connectivity"}
