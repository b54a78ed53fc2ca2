"""A dock: a view, the shown Runs, the Cursor and a Canvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDockWidget, QMenu, QWidget

from rnnscope.app.canvas import Canvas
from rnnscope.app.cursor import Cursor
from rnnscope.app.draw_queue import DrawQueue
from rnnscope.app.grip import Grip
from rnnscope.app.pyramids import Pyramid, pyramids_of
from rnnscope.app.scrolled import scrolled
from rnnscope.app.theme import Theme
from rnnscope.core.trace import Trace
from rnnscope.views import DEPENDS, DRAWN_FROM, Plot, Position, Subject, draw

TITLES = {
    "input": "Input",
    "hidden": "Hidden state",
    "gates": "Gates",
    "saturation": "Gate saturation",
    "attention": "Weight of the past",
    "attention_map": "Attention map",
    "time_scales": "Time scales",
    "average": "Running average",
    "phases": "Clockwork phases",
    "depth": "Depth and time",
    "directions": "Two directions",
    "tree": "Tree",
    "influence": "Influence",
    "gradient": "Gradient norm",
    "error": "Loss per time step",
    "loss": "Training loss",
    "reach": "How far back",
    "growth": "Reach during training",
}

LEAST_HEIGHT = {
    "loss": 150,
    "reach": 150,
    "growth": 150,
    "tree": 200,
    "saturation": 150,
    "attention_map": 150,
    "time_scales": 150,
    "directions": 150,
}  # pixels; 72 for the views over time
LONG = 32_000  # values of the shown sequence from which on a view is computed beside the window: it may take a frame
SCROLLED = frozenset({"saturation"})  # a row for each run, and no time axis that would have to stay in line with others


def _signals(traces: Sequence[Trace]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), name) for name in dict.fromkeys(name for trace in traces for name in trace.signals)]


def _outputs(traces: Sequence[Trace]) -> list[tuple[str, int | None]]:
    count = min((trace.outputs.shape[2] for trace in traces), default=0)
    return [("all outputs", None), *((f"output {n}", n) for n in range(count))]


CHOICES = {"signal": ("Colour the nodes by", _signals), "output": ("Influence on", _outputs)}  # of the position, by menu


class ViewDock(QDockWidget):
    """Draws one view of the shown runs; while it is hidden it only remembers that it has to."""

    export_wanted = Signal(str)

    def __init__(
        self,
        view: str,
        cursor: Cursor,
        theme: Theme,
        queue: DrawQueue,
        subjects: Callable[[], Sequence[Subject]],
        parent: QWidget,
    ):
        super().__init__(TITLES.get(view, view.capitalize()), parent)
        self.view, self.cursor, self._subjects, self._queue = view, cursor, subjects, queue
        self._depends = DEPENDS.get(view, ("sequence", "layer"))
        self._source = DRAWN_FROM.get(view, "trace")
        self.setObjectName(f"view-{view}")
        self.canvas = Canvas(cursor, theme, view == "input", self)
        self.canvas.least_height = LEAST_HEIGHT.get(view, 72)
        self.canvas.setMinimumHeight(self.canvas.least_height)
        self.canvas.setAccessibleName(self.windowTitle())
        self.setWidget(scrolled(self.canvas, self.canvas.least_height, self) if view in SCROLLED else self.canvas)
        self.setTitleBarWidget(Grip(self))
        self._drawn: tuple | None = None
        self._dressed = theme
        export = QAction("Export this view…", self)
        export.triggered.connect(self._on_export)
        self._menu = QMenu(self)
        self._menu.addAction(export)
        self.choices: dict[str, QMenu] = {}
        for field in (field for field in CHOICES if field in self._depends):
            menu = self.choices[field] = self._menu.addMenu(CHOICES[field][0])
            menu.aboutToShow.connect(partial(self._fill, menu, field))
            menu.triggered.connect(partial(self._on_choice, field))
        self.seen = False  # not behind another dock's tab: for Qt that one is visible, too
        self.canvas.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.canvas.scene().sigMouseClicked.connect(self._on_clicked)
        cursor.hovered.connect(self._follow)
        cursor.moved.connect(self._on_moved)
        cursor.chosen.connect(self._on_chosen)
        self.visibilityChanged.connect(self._on_visible)

    def ask(self) -> None:
        """Have what is new drawn soon, if anybody sees it; else nothing is kept that is no longer shown anywhere."""
        if self.seen:
            self._queue.ask(self.refresh)
        elif self._drawn and self._what_is_drawn(self._subjects())[1] != self._drawn[1]:
            self._drawn = None
            self._queue.ask(self._forget)

    def refresh(self) -> None:
        """Draw what is new, at once or, if it is long, as soon as it is computed; nothing while hidden."""
        if not self.seen:
            return
        if self._dressed is not self.canvas.theme:
            self.canvas.set_theme(self._dressed)
        subjects = self._subjects()
        drawn = self._what_is_drawn(subjects)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        work = partial(_pictured, self.view, subjects, self.cursor.position, self.canvas.pyramids)
        if sum(_size(subject, self._source) for subject in subjects) >= LONG:
            self.canvas.await_plot()
            self._queue.ask_long(work, self._show)
        else:
            self._queue.drop(self._show)
            self._show(work())

    def set_theme(self, theme: Theme) -> None:
        """Change colours soon."""
        self._dressed = theme
        self.ask()

    def _forget(self) -> None:
        """A trace may be gigabytes, and lives as long as a picture of it."""
        if self._drawn is None:
            self._queue.drop(self._show)
            self.canvas.draw(draw(self.view, [], self.cursor.position))

    def _show(self, pictured: tuple[Plot, list[Pyramid | None]]) -> None:
        self.canvas.draw(*pictured)

    def _what_is_drawn(self, subjects: Sequence[Subject]) -> tuple:
        """Everything the Plot depends on; frozen values are compared by identity, and kept so that it stays theirs."""
        here = self.cursor.position
        return [getattr(here, name) for name in self._depends], [
            (subject.name, subject.style, getattr(subject, self._source)) for subject in subjects
        ]

    def _follow(self) -> None:
        if self.seen:
            self.canvas.follow()

    def _on_moved(self) -> None:
        self._follow()
        if "time_step" in self._depends:
            self.ask()

    def _on_chosen(self) -> None:
        self._follow()
        self.ask()

    def _fill(self, menu: QMenu, field: str) -> None:
        here = self.cursor.position
        menu.clear()
        for words, value in CHOICES[field][1]([subject.at(here.layer).trace for subject in self._subjects()]):
            action = menu.addAction(words)
            action.setData(value)
            action.setCheckable(True)
            action.setChecked(value == getattr(here, field))

    def _on_choice(self, field: str, action: QAction) -> None:
        self.cursor.choose(**{field: action.data()})

    def _on_visible(self, visible: bool) -> None:
        self.seen = visible
        if visible:
            self.refresh()

    def _on_clicked(self, event) -> None:
        if event.button() == Qt.MouseButton.RightButton:
            self._menu.popup(event.screenPos().toPoint())

    def _on_export(self) -> None:
        self.export_wanted.emit(self.view)


def _pictured(
    view: str, subjects: Sequence[Subject], position: Position, earlier: Sequence[Pyramid | None]
) -> tuple[Plot, list[Pyramid | None]]:
    """A view, ready for the canvas: of frozen values only, so that any thread may do it."""
    plot = draw(view, subjects, position)
    return plot, pyramids_of(plot, earlier)


def _size(subject: Subject, source: str) -> int:
    """About how many values of a subject a view goes through."""
    if source == "history":
        return len(subject.history)
    if source in ("trace", "influence") and subject.trace is not None:
        return subject.trace.time_steps * subject.trace.units
    return 0
