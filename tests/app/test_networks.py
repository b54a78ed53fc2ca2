"""Networks in the window: the form follows the choice, and the views of what only some have come and go with them."""

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QScrollArea

from rnnscope.views import HAS
from rnnscope.views.reach import lag_words

ITERATIONS = {"iterations": 2, "batch": 4, "device": "cpu"}


@pytest.fixture
def train(window, idle):
    """Train what the form says with the values given in it, and wait for the end."""

    def run(**values):
        form = window.panel.form
        settings = form.values()
        settings["training"] |= ITERATIONS
        kept = {name: settings[name] for name in ("training", "units")}
        form.set_values(kept | {"units": 6} | values)
        window.panel.train()
        idle()
        return window.session.current

    return run


def there(window):
    """Views of only some networks that are in the window, and the one in front. Influence every network has."""
    assert not window.docks["influence"].isHidden()
    shown = {name for name in HAS if not window.docks[name].isHidden()} - {"influence"}
    return shown, {name for name in HAS if window.views[name].seen}


@pytest.mark.parametrize(
    ("values", "named", "front"),
    [
        ({"cell": "lstm", "network": "tree_lstm", "task": "nested_lists"}, {"tree", "saturation"}, {"tree"}),
        ({"cell": "gru", "network": "encoder_decoder", "task": "dates"}, {"attention_map"}, {"attention_map"}),
        ({"cell": "lstm", "network": "bidirectional", "task": "adding"}, {"directions", "depth"}, {"directions"}),
        ({"cell": "clockwork", "task": "adding"}, {"phases"}, {"phases"}),
        ({"cell": "rwa", "task": "adding"}, {"average", "attention_map"}, set()),
        ({"cell": "lstm", "network_settings": {"layers": 3}, "task": "adding"}, {"depth"}, set()),
        ({"cell": "elman", "task": "adding"}, {"saturation"}, set()),
    ],
    ids=lambda value: ",".join(sorted(value)) if isinstance(value, set) else str(value),
)
def test_views_come_with_the_network_that_has_them(window, qtbot, values, named, front, train):
    run = train(**values)
    shown, seen = there(window)
    assert shown >= named
    assert shown | {"influence"} == {name for name, has in HAS.items() if has(run.trace)}
    assert seen == front
    for name in (*shown, "influence"):
        window.docks[name].raise_()
        qtbot.waitUntil(lambda name=name: window.views[name].seen and window.views[name].canvas.plot is not None)
        qtbot.waitUntil(lambda name=name: any(panel.marks for panel in window.views[name].canvas.plot.panels))


def test_views_go_with_the_last_run_that_has_them_and_what_was_shut_stays_shut(window, train):
    train(cell="rwa", task="adding")
    window.docks["average"].toggleViewAction().trigger()
    train(cell="rda", task="adding")
    assert "average" not in there(window)[0]
    assert "attention_map" in there(window)[0]
    window.docks["average"].toggleViewAction().trigger()
    assert "average" in there(window)[0]
    train(cell="elman", task="digits")  # another task: the others are not shown beside it
    assert there(window)[0] == {"saturation"}
    assert not window.docks["average"].toggleViewAction().isEnabled()


def test_the_form_chooses_what_a_network_needs_and_says_what_does_not_fit(window):
    form = window.panel.form
    form.cell.setCurrentIndex(form.cell.findData("rwa"))
    form.network.setCurrentIndex(form.network.findData("tree_lstm"))
    assert (form.cell.currentData(), form.task.currentData()) == ("lstm", "nested_lists")
    assert form.problem == ""
    form.task.setCurrentIndex(form.task.findData("adding"))
    assert form.problem == "task: the Tree-LSTM needs a task with trees; adding has none"
    assert window.panel.form.problem_label.isVisible()
    assert not window.panel.train_button.isEnabled()
    form.network.setCurrentIndex(form.network.findData("stack"))
    assert form.problem == ""
    assert window.panel.train_button.isEnabled()


def test_the_layer_is_chosen_below_and_drawn_everywhere(window, qtbot, train):
    run = train(cell="lstm", network_settings={"layers": 2}, task="adding")
    assert [window.transport.layer.itemText(n) for n in range(2)] == ["layer 1", "layer 2"]
    assert window.transport.layer.isVisible()
    window.transport.layer.textActivated.emit("layer 2")
    assert window.session.cursor.position.layer == "layer 2"
    qtbot.waitUntil(lambda: "layer 2" in next(window.views["hidden"].canvas.plot.panels).title)
    drawn = next(window.views["hidden"].canvas.plot.panels).marks[0].values
    assert (drawn == run.trace.layers["layer 2"].signals["hidden"][:, 0].T).all()
    train(cell="lstm", task="digits")
    assert not window.transport.layer.isVisible()


def test_the_cursor_ends_where_its_sequence_ends(window, train):
    run = train(cell="lstm", network="tree_lstm", task="nested_lists")
    lengths, cursor = run.trace.lengths.tolist(), window.session.cursor
    assert len(set(lengths)) > 1
    for sequence, length in enumerate(lengths):
        cursor.choose(sequence=sequence)
        cursor.move(10_000)
        assert cursor.position.time_step == cursor.time_steps == length
        assert window.transport.slider.maximum() == length
        assert cursor.span == (0.5, length + 0.5)


def test_a_tree_is_coloured_by_the_signal_that_is_chosen(window, qtbot, train):
    train(cell="lstm", network="tree_lstm", task="nested_lists")
    dock = window.views["tree"]
    qtbot.waitUntil(lambda: dock.canvas.plot is not None)
    menu = dock.choices["signal"]
    menu.aboutToShow.emit()
    next(action for action in menu.actions() if action.data() == "forget_gate").trigger()
    assert window.session.cursor.position.signal == "forget_gate"
    qtbot.waitUntil(lambda: next(dock.canvas.plot.panels).title.lower().startswith("forget gate"))


def test_many_runs_do_not_push_the_transport_off_the_window(window, loaded, saved, qtbot):
    window.resize(1280, 700)
    loaded(*(saved(cell) for cell in ("lstm", "gru", "rwa", "peephole")))
    for name in ("saturation", "attention_map", "average", "gates"):
        window.docks[name].raise_()
        qtbot.waitUntil(lambda name=name: window.views[name].seen and window.views[name].canvas.plot is not None)
    assert window.height() == 700
    assert window.transport.mapTo(window, window.transport.rect().bottomRight()).y() < 700
    canvas = window.views["saturation"].canvas
    assert canvas.minimumHeight() == 4 * 140
    assert window.views["saturation"].minimumSizeHint().height() < 200
    area = window.views["saturation"].widget()
    assert isinstance(area, QScrollArea)


def test_a_row_that_asks_for_more_height_has_it_in_a_low_window(window, loaded, saved, qtbot):
    window.resize(1280, 700)
    loaded(saved("rwa"))
    window.docks["attention_map"].raise_()
    canvas = window.views["attention_map"].canvas
    qtbot.waitUntil(lambda: canvas.plot is not None and canvas.height() >= 44 * 6)
    assert min(item.box.height() for item in canvas._panels) > 24


def test_what_was_shut_stays_shut_in_the_next_window(window, open_window, saved, qtbot, train):
    train(cell="rwa", task="adding")
    window.docks["average"].toggleViewAction().trigger()
    train(cell="elman", task="digits")
    window.docks["saturation"].toggleViewAction().trigger()
    for run in window.session.runs:
        run.unsaved = False
    window.close()
    assert QSettings().value("shut") == "average saturation"
    second = open_window()
    second.files.open([saved("rwa")])
    qtbot.waitUntil(lambda: bool(second.session.runs), timeout=30_000)
    assert there(second)[0] == {"attention_map", "time_scales"}


def test_the_table_tells_the_two_directions_apart(window, qtbot, train):
    train(cell="lstm", network="bidirectional", task="adding")
    table = window.lags.table
    qtbot.waitUntil(lambda: table.rowCount() == 4)
    run, ways = window.session.current, ("forward", "backward")
    rows = iter([table.item(row, column).text() for column in range(4)] for row in range(4))
    for kind, word in (("state_jacobian", "gradient"), ("direct_weight", "gates alone")):
        for way, first in zip(ways, (word, ""), strict=True):
            reach = run.reaches[f"{kind}, {way}"]
            assert next(rows) == [first, f"{run.name}, {way}", lag_words(reach, reach.lag50), lag_words(reach, reach.lag1)]


def test_the_heading_says_how_deep_in_words(window, train):
    train(cell="depth_gated", network_settings={"layers": 3}, task="adding")
    assert window.heading.text() == "depth gated  ·  adding  ·  3 layers  ·  6 units"
    assert window.heading.sizeHint().width() <= window.heading.width()


def test_a_name_without_room_ends_with_an_ellipsis_and_is_whole_in_the_tip(window):
    box = window.panel.form.network
    box.setCurrentIndex(box.findData("static_attention"))
    assert box.words_in_sight().endswith("…")
    assert box.fontMetrics().horizontalAdvance(box.words_in_sight()) < box.width() - 24
    assert box.toolTip() == box.currentText() == "attention over the whole sequence"
    box.setCurrentIndex(box.findData("stack"))
    assert box.words_in_sight() == "stack" == box.toolTip()
    box.showPopup()
    assert box.view().width() >= box.view().sizeHintForColumn(0)
    box.hidePopup()


def test_a_long_name_of_a_run_leaves_room_for_its_loss(window, loaded, saved):
    loaded(saved("lstm", name="a very long name of a run that nobody would want to read"))
    runs = window.panel.list
    assert not runs.horizontalScrollBar().isVisible()
    assert runs.visualItemRect(runs.item(0)).width() <= runs.viewport().width()
    assert runs.textElideMode() == Qt.TextElideMode.ElideMiddle
