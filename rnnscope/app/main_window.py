"""The main window: assembles docks and menus."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6 import QtCore  # QtCore.Qt has all of Qt's enums: they are made once the window is painted, in 20 ms
from PySide6.QtCore import QByteArray, QSettings, QSize, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices, QKeySequence
from PySide6.QtWidgets import (
    QDockWidget,
    QLabel,
    QMainWindow,
    QMenu,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from rnnscope.app import theme as themes

if TYPE_CHECKING:
    from rnnscope.app.draw_queue import DrawQueue
    from rnnscope.app.session import Session

LAYOUT_VERSION = 3
LEAST_HEIGHT = 300  # pixels of the docks that are in sight
HEIGHTS = {"input": 0.1, "hidden": 0.13, "gates": 0.34, "attention": 0.1, "gradient": 0.1}  # shares of the scope
IN_FRONT = frozenset({"tree", "directions", "phases"})  # of what comes by itself, what is looked at first
WIDTHS = {"loss": 0.25, "reach": 0.33}


class MainWindow(QMainWindow):
    """Bare, so that it is painted at once; `furnish` adds what needs a session, `build` the docks, `fill` the form."""

    painted = Signal()  # for the first time
    built = Signal()

    def __init__(self):
        super().__init__()
        self.session: Session | None = None
        self.docks: dict[str, QDockWidget] = {}
        self._shut = set(str(QSettings().value("shut", "")).split())  # views that the user wants not to come by themselves
        self._seen = False
        self.theme = themes.THEMES.get(str(QSettings().value("theme", "dark")), themes.DARK)
        themes.apply(self.theme)
        self.setWindowTitle("rnnscope")
        self.setObjectName("rnnscope")
        self.resize(QSize(1600, 1000))
        geometry = QSettings().value("geometry")
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)

    def furnish(self, session: Session) -> None:
        """Add the panel, the transport and the menus."""
        from rnnscope.app.file_dialogs import FileDialogs
        from rnnscope.app.message_bar import MessageBar
        from rnnscope.app.setup_panel import SetupPanel
        from rnnscope.app.transport import Transport

        self.session = session
        session.setParent(self)
        self.setAcceptDrops(True)
        self.messages = MessageBar(self)
        self.files = FileDialogs(session, self)
        self.files.told.connect(self.messages.tell)
        self.panel = SetupPanel(session, self)
        self.transport = Transport(session.cursor, self)
        self.scope = QMainWindow(self, QtCore.Qt.WindowType.Widget)
        self.scope.setDockNestingEnabled(True)
        self.scope.setTabPosition(QtCore.Qt.DockWidgetArea.RightDockWidgetArea, QTabWidget.TabPosition.North)
        self._assemble()
        self.heading = QLabel(self)
        self.heading.setObjectName("faint")
        self.heading.setMinimumWidth(480)
        self.heading.setAlignment(QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter)
        self.heading.setContentsMargins(8, 4, 16, 0)  # level with the words of the menu
        self.menuBar().setCornerWidget(self.heading)
        self._make_menus()
        session.told.connect(self.messages.tell)
        session.changed.connect(self._on_changed)
        session.state.connect(self._on_changed)
        session.listed.connect(self._on_listed)
        session.worker.ready.connect(self.fill)

    def build(self) -> None:
        """Make the docks, one in each turn of the event loop, and add them together; this imports pyqtgraph."""
        from rnnscope.app.draw_queue import DrawQueue
        from rnnscope.views import VIEWS

        self.views = {}
        queue = DrawQueue(self)
        for name in VIEWS:
            queue.ask(partial(self._make_view, name, queue))
        queue.ask(self._add_docks)
        queue.ask(self._arrange)

    def _make_view(self, name: str, queue: DrawQueue) -> None:
        from rnnscope.app.view_dock import ViewDock

        session = self.session
        self.views[name] = ViewDock(name, session.cursor, self.theme, queue, session.subjects, self)

    def _add_docks(self) -> None:
        from rnnscope.app.lag_table import LagTable
        from rnnscope.views import HAS

        session, right = self.session, QtCore.Qt.DockWidgetArea.RightDockWidgetArea
        self.lags = LagTable(session, self)
        self.files.views = self.views
        self.docks = {**self.views, "lags": self.lags}
        beside = {"reach": "loss", "lags": "reach"}
        for name, dock in self.docks.items():
            if name in beside:
                self.scope.splitDockWidget(self.docks[beside[name]], dock, QtCore.Qt.Orientation.Horizontal)
            elif name in HAS:
                self.scope.tabifyDockWidget(self.docks["gates"], dock)
            else:
                self.scope.addDockWidget(right, dock, QtCore.Qt.Orientation.Vertical)
            self._view_menu.insertAction(self._before_theme, dock.toggleViewAction())
        for name in HAS:
            self.docks[name].hide()
            self.docks[name].toggleViewAction().triggered.connect(self._on_toggled)
        for dock in self.views.values():
            dock.export_wanted.connect(self.files.ask_export)
        self.scope.tabifyDockWidget(self.docks["reach"], self.docks["growth"])
        self.docks["reach"].raise_()
        self.views["influence"].visibilityChanged.connect(session.following.follow)
        self.views["growth"].visibilityChanged.connect(session.following.grow)
        self.docks["error"].hide()

    def _arrange(self) -> None:
        """Sizes of the docks, once they have been laid out; then as the user left them."""
        for shares, whole, along in (
            (HEIGHTS, self.scope.height(), QtCore.Qt.Orientation.Vertical),
            (WIDTHS, self.scope.width(), QtCore.Qt.Orientation.Horizontal),
        ):
            self.scope.resizeDocks(
                [self.docks[name] for name in shares], [round(whole * x) for x in shares.values()], along
            )
        self._default_layout = self.scope.saveState(LAYOUT_VERSION)
        state = QSettings().value("layout")
        if isinstance(state, QByteArray):
            self.scope.restoreState(state, LAYOUT_VERSION)
        self._show_what_there_is()
        self._on_changed()
        self.built.emit()

    def fill(self, catalogue) -> None:
        """The model core is there: show the form as it was left."""
        from rnnscope.core.settings import SettingsError

        self.panel.fill(catalogue)
        values = QSettings().value("form")
        if isinstance(values, dict):
            try:
                self.panel.form.set_values(values)
            except (SettingsError, ValueError, TypeError):
                QSettings().remove("form")

    def set_theme(self, name: str) -> None:
        """Dress everything in "dark" or "light"."""
        self.theme = themes.THEMES[name]
        self.setUpdatesEnabled(False)  # else each widget is painted for each change
        themes.apply(self.theme)
        self.setUpdatesEnabled(True)
        QSettings().setValue("theme", name)
        for dock in getattr(self, "views", {}).values():
            dock.set_theme(self.theme)
        self.session.listed.emit()

    def reset_layout(self) -> None:
        """All docks where they were at first."""
        self.scope.restoreState(self._default_layout, LAYOUT_VERSION)
        self._shut.clear()
        self._show_what_there_is()

    def paintEvent(self, event) -> None:
        """Tell once that there is something to see."""
        super().paintEvent(event)
        if not self._seen:
            self._seen = True
            self.painted.emit()

    def closeEvent(self, event) -> None:
        """Offer to save what no file has, then stop the worker and wait for it."""
        if self.session is None:
            return
        if not self.files.may_close():
            event.ignore()
            return
        settings = QSettings()
        settings.setValue("geometry", self.saveGeometry())
        if self.docks:
            settings.setValue("layout", self.scope.saveState(LAYOUT_VERSION))
            settings.setValue("shut", " ".join(sorted(self._shut)))
        if self.panel.form and not self.panel.form.problem:
            settings.setValue("form", self.panel.form.values())
        self.hide()
        self.session.finish()
        event.accept()

    def dragEnterEvent(self, event) -> None:
        """Take files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event) -> None:
        """Open what was dropped."""
        event.acceptProposedAction()
        self.files.open([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])

    def _assemble(self) -> None:
        from rnnscope.app.scrolled import scrolled

        right = QWidget(self)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(scrolled(self.scope, LEAST_HEIGHT, self), 1)
        column.addWidget(self.messages)
        column.addWidget(self.transport)
        halves = QSplitter(QtCore.Qt.Orientation.Horizontal, self)
        halves.setHandleWidth(8)
        halves.setChildrenCollapsible(False)
        halves.addWidget(self.panel)
        halves.addWidget(right)
        halves.setStretchFactor(1, 1)
        self.setCentralWidget(halves)

    def _make_menus(self) -> None:
        bar = self.menuBar()
        file = bar.addMenu("File")
        self._action(file, "Open…", self.files.ask_open, QKeySequence.StandardKey.Open)
        self._recent_menu = file.addMenu("Open recent")
        self._recent_menu.aboutToShow.connect(self._fill_recent)
        self._action(file, "Open the sample models", self.files.open_samples)
        self._action(file, "Save model as…", self.files.ask_save, QKeySequence.StandardKey.Save)
        self._action(file, "Save model with its training…", self.files.ask_save_training, "Ctrl+Shift+S")
        file.addSeparator()
        self._action(file, "Export a view…", self.files.ask_export_any, "Ctrl+E")
        file.addSeparator()
        self._action(file, "Quit", self.close, QKeySequence.StandardKey.Quit)
        self._view_menu = bar.addMenu("View")
        self._before_theme = self._view_menu.addSeparator()
        self._action(self._view_menu, "Dark", self._on_dark)
        self._action(self._view_menu, "Light", self._on_light)
        self._action(self._view_menu, "Show all time steps", self.session.cursor.show_all, "Ctrl+0")
        self._action(self._view_menu, "Reset the layout", self.reset_layout)
        run = bar.addMenu("Run")
        self._action(run, "Train", self.panel.train, "Ctrl+T")
        self._action(run, "Pause or go on", self.session.pause, "Ctrl+P")
        self._action(run, "Stop", self.session.stop, "Ctrl+.")
        self._action(run, "Train the current run on", self.panel.train_on, "Ctrl+Shift+T")
        self._action(run, "Clear the queue", self.session.clear_queue)
        run.addSeparator()
        self._action(run, "Remove the current run", self.files.ask_remove, QKeySequence.StandardKey.Delete)
        compare = bar.addMenu("Compare")
        self._action(compare, "Show all runs of this task", self.session.show_all_of_task)
        self._action(compare, "Show the current run alone", self.session.show_alone)
        self._action(compare, "Match the parameters of the current run", self.panel.match_parameters)
        self._action(compare, "Measure how far back", self.session.measure_shown, "Ctrl+M")
        helps = bar.addMenu("Help")
        self._action(helps, "Keys and mouse", self._on_keys, QKeySequence.StandardKey.HelpContents)
        self._action(helps, "About the recurrent weighted average", self._on_paper)

    def _action(self, menu: QMenu, text: str, slot, key=None) -> None:
        action = QAction(text, self)
        if key is not None:
            action.setShortcut(key)
        action.triggered.connect(slot)
        menu.addAction(action)

    def _fill_recent(self) -> None:
        self._recent_menu.clear()
        for path in self.files.recent():
            action = self._recent_menu.addAction(path)
            action.setData(path)
            action.triggered.connect(self._on_recent)
        if self._recent_menu.isEmpty():
            self._recent_menu.addAction("Nothing yet").setEnabled(False)

    def _on_recent(self) -> None:
        self.files.open([self._recent_menu.activeAction().data()])

    def _on_changed(self) -> None:
        for dock in getattr(self, "views", {}).values():
            dock.ask()
        run = self.session.current
        if run:
            configuration = run.configuration
            network = [] if configuration.network == "stack" else [configuration.network]
            layers = getattr(configuration.network_settings, "layers", 1)
            deep = [f"{layers} layers"] if layers > 1 else []
            parts = [*network, configuration.cell, configuration.task, *deep, f"{configuration.units} units"]
            parts = [part.replace("_", " ") for part in parts]
            if run.past:
                parts.append(f"@ iteration {run.past[0]:,}")
            if run is self.session.training:
                parts += [run.device, f"{run.rate:.0f} it/s"]
            self.heading.setText("  ·  ".join(parts))

    def _on_listed(self) -> None:
        if not self.session.current:
            self.heading.clear()
        if self.docks:
            self._show_what_there_is()

    def _show_what_there_is(self) -> None:
        """Views of what only some networks have come, behind the gates, with the runs that have it, and go with them."""
        from rnnscope.views import HAS

        traces = [run.trace for run in self.session.shown]
        in_front = [self.docks[name] for name in ("gates", *HAS) if self.views[name].seen]
        for name, has in HAS.items():
            dock, there = self.docks[name], any(has(trace) for trace in traces)
            dock.toggleViewAction().setEnabled(there)
            wanted = there and name not in self._shut
            attended = name == "attention_map" and any(trace.attended for trace in traces)
            if wanted and dock.isHidden() and (name in IN_FRONT or attended):
                in_front.append(dock)
            if wanted == dock.isHidden():
                dock.setVisible(wanted)
        if shown := [dock for dock in in_front if not dock.isHidden()]:
            shown[-1].raise_()

    def _on_toggled(self) -> None:
        """What the user shuts stays shut."""
        from rnnscope.views import HAS

        toggles = {name: self.docks[name].toggleViewAction() for name in HAS}
        there = {name for name, toggle in toggles.items() if toggle.isEnabled()}
        self._shut = (self._shut - there) | {name for name in there if not toggles[name].isChecked()}

    def _on_dark(self) -> None:
        self.set_theme("dark")

    def _on_light(self) -> None:
        self.set_theme("light")

    def _on_keys(self) -> None:
        self.messages.tell(
            "Space plays. Left and Right step, with Shift by ten. Home and End go to the ends. With Alt, Left, Right, Home "
            "and End go through the training. Drag in a plot to scrub, click a heatmap to choose its unit, turn the wheel "
            "to zoom time, drag with the right button to pan, double-click to see all. Rest the mouse on a time step to "
            "see in Influence what mattered to it."
        )

    def _on_paper(self) -> None:
        QDesktopServices.openUrl(QUrl("https://arxiv.org/abs/1703.01253"))
