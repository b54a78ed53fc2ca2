"""The left side: the form, the buttons of training with its progress, and the list of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from rnnscope.app.catalogue import Catalogue
from rnnscope.app.session import Session
from rnnscope.app.waiting_list import WaitingList
from rnnscope.views.loss import last_loss

if TYPE_CHECKING:
    from rnnscope.app.form import Form

WIDTH = 264
ROW_HEIGHT = 24  # pixels of a run in the list
STARTING = "Starting…"  # until the first iteration is done: kernels may have to be tried before it


class SetupPanel(QWidget):
    """Everything that can be set and started."""

    def __init__(self, session: Session, parent: QWidget):
        super().__init__(parent)
        self.session = session
        self.form: Form | None = None
        self._described = 0  # identity of the run whose settings were put into the form last
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(WIDTH)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 8, 8)
        column.setSpacing(8)
        self._scroll = QScrollArea(self)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        loading = QLabel("Loading torch…", self)
        loading.setObjectName("faint")
        self._scroll.setWidget(loading)
        column.addWidget(self._scroll, 5)
        column.addLayout(self._buttons())
        self.progress = QProgressBar(self)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Training progress")
        self.status = QLabel("Not training", self)
        self.status.setObjectName("faint")
        column.addWidget(self.progress)
        column.addWidget(self.status)
        self.waiting = WaitingList(self)
        self.waiting.dropped.connect(session.drop)
        column.addWidget(self.waiting)
        title = QLabel("Runs", self)
        title.setObjectName("section")
        title.setIndent(0)
        column.addWidget(title)
        self.list = QListWidget(self)
        self.list.setAccessibleName("Runs")
        self.list.setToolTip("Ticked runs of one task are shown side by side")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # the loss stands at the end
        self.list.currentRowChanged.connect(self._on_row)
        self.list.itemChanged.connect(self._on_ticked)
        column.addWidget(self.list, 3)
        self.hint = QLabel("Open a model or press Train.", self.list)
        self.hint.setObjectName("faint")
        self.hint.move(0, 6)
        session.listed.connect(self._on_listed)
        session.changed.connect(self._on_changed)
        session.state.connect(self._on_state)
        self._on_state()

    def fill(self, catalogue: Catalogue) -> None:
        """The model core is there: show the form."""
        from rnnscope.app.form import Form

        self.form = Form(catalogue, self._scroll)
        self.form.layout().setContentsMargins(0, 0, 8, 8)
        self._scroll.setWidget(self.form)
        self.layout().insertWidget(1, self.form.problem_label)
        self.form.edited.connect(self._on_state)
        self._on_state()

    def train(self) -> None:
        """Train what the form says."""
        if self.train_button.isEnabled():
            self.session.train(self.form.configuration())

    def train_on(self) -> None:
        """Go on training the current run with the form's training settings."""
        if self.form and not self.form.problem:
            self.session.train_on(self.form.training())

    def match_parameters(self) -> None:
        """Set the units so that the model in the form has about as many parameters as the current run."""
        run = self.session.current
        if not run or not self.form or self.form.problem:
            return
        from rnnscope.core.settings import SettingsError
        from rnnscope.core.widths import parameters_of, units_for

        wanted, here = parameters_of(run.configuration), self.form.configuration()
        try:
            units = units_for(here, wanted)
        except SettingsError as error:
            self.session.told.emit(str(error), "")
            return
        matched = here.model_copy(update={"units": units})
        self.form.show_configuration(matched)
        count = parameters_of(matched)
        self.session.told.emit(f"{units} units: {count:,} parameters, nearest to the {wanted:,} of {run.name}", "")

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        self.train_button = QPushButton("Train", self)
        self.train_button.setObjectName("primary")
        self.train_button.clicked.connect(self.train)
        self.pause_button = QPushButton("Pause", self)
        self.pause_button.clicked.connect(self.session.pause)
        self.stop_button = QPushButton("Stop", self)
        self.stop_button.setToolTip(
            "End the training: what it has learned stays, and what waits begins. Or give up what takes long"
        )
        self.stop_button.clicked.connect(self.session.stop)
        for button in (self.train_button, self.pause_button, self.stop_button):
            button.setAutoDefault(False)
            row.addWidget(button, 1)
        return row

    def _on_state(self) -> None:
        training = self.session.training is not None
        busy = training or self.session.starting
        self.train_button.setEnabled(self.form is not None and not self.form.problem)
        self.train_button.setText("Train next" if busy else "Train")
        self.train_button.setToolTip(f"Make a new model and train it{' when this training has ended' * busy} (Ctrl+T)")
        self.pause_button.setEnabled(training)
        self.stop_button.setEnabled(training or self.session.measuring is not None)
        self.pause_button.setText("Go on" if self.session.paused else "Pause")
        self.waiting.show_queue(self.session.queue)
        self._show_progress()

    def _show_progress(self) -> None:
        run, session = self.session.training, self.session
        if session.starting:
            self.status.setText(STARTING)
            return
        if session.measuring:
            words, share = session.measuring
            self.progress.setRange(0, 100)
            self.progress.setValue(round(100 * share))
            self.status.setText(words)
            return
        if run is None:
            self.progress.setValue(0)
            self.status.setText("Not training")
            return
        done = len(run.history) - session.start
        self.progress.setRange(0, session.goal)
        self.progress.setValue(done)
        share = f" ({run.rate / run.alone:.0%})" if run.alone else ""
        speed = "paused" if session.paused else f"{run.rate:.0f} it/s{share}"
        self.status.setText(f"{done:,} / {session.goal:,}, {speed}" if done or session.paused else STARTING)
        self.status.setToolTip(
            f"{done:,} of {session.goal:,} iterations. Iterations a second: {run.rate:.0f} with the window; {run.alone:.0f}"
            " by the time of the iterations alone, without what is recorded and told for it"
        )

    def _on_changed(self) -> None:
        self._show_progress()
        with QSignalBlocker(self.list):  # to which other words are a change as a tick is
            for row, run in enumerate(self.session.runs[: self.list.count()]):
                if (item := self.list.item(row)).text() != _words(run):
                    item.setText(_words(run))

    def _on_listed(self) -> None:
        session = self.session
        with QSignalBlocker(self.list):
            self.list.clear()
            for run in session.runs:
                item = QListWidgetItem(_swatch(run.style.colour), _words(run))
                item.setSizeHint(QSize(1, ROW_HEIGHT))  # as wide as the list, so that a long name is elided
                item.setCheckState(Qt.CheckState.Checked if run.shown else Qt.CheckState.Unchecked)
                if session.current and not run.compares_with(session.current):
                    item.setForeground(self.palette().placeholderText())
                    item.setToolTip("Another task: choose it to see the runs of that task")
                self.list.addItem(item)
            if session.current in session.runs:
                self.list.setCurrentRow(session.runs.index(session.current))
        self.hint.setVisible(not session.runs)
        self._describe()

    def _describe(self) -> None:
        """Choosing a run puts its settings into the form: the next training can start from them."""
        run = self.session.current
        if self.form and run and run.identity != self._described:
            self._described = run.identity
            if not self.session.starting:  # then the form may say by now what is to be trained next
                self.form.show_configuration(run.configuration)

    def _on_row(self, row: int) -> None:
        if 0 <= row < len(self.session.runs):
            self.session.choose(self.session.runs[row])

    def _on_ticked(self, item: QListWidgetItem) -> None:
        run = self.session.runs[self.list.row(item)]
        self.session.show(run, item.checkState() == Qt.CheckState.Checked)


def _words(run) -> str:
    star = " *" if run.unsaved else ""
    loss = f"   {last_loss(run.history):.3g}" if len(run.history) else ""
    return f"{run.name}{star}{loss}"


def _swatch(colour: str) -> QIcon:
    picture = QPixmap(10, 10)
    picture.fill(QColor(colour))
    return QIcon(picture)
