"""What asks for files: opening, saving, exporting; and the files that were open before."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from rnnscope.app.run import Run
from rnnscope.app.session import Session

if TYPE_CHECKING:
    from rnnscope.app.view_dock import ViewDock

MOST_RECENT = 8
MODELS = "Models (*.safetensors)"
FIGURES = "PDF (*.pdf);;SVG (*.svg);;PNG (*.png)"


class FileDialogs(QObject):
    """Asks over its window, remembers folders and recent files in the settings, and lets the session do the work."""

    told = Signal(str)

    def __init__(self, session: Session, window: QWidget):
        super().__init__(window)
        self.session, self.window = session, window
        self.views: Mapping[str, ViewDock] = {}
        self._closing = False  # as soon as everything is saved
        session.worker.saved.connect(self._on_saved)
        session.worker.refused.connect(self._on_refused)

    def open(self, paths: Iterable[Path | str]) -> None:
        """Load model files and remember them."""
        paths = [Path(path).absolute() for path in paths]
        self.session.open(paths)
        recent = [str(path) for path in dict.fromkeys(paths) if os.path.exists(path)]
        recent += [path for path in self.recent() if path not in recent]
        QSettings().setValue("recent", recent[:MOST_RECENT])

    def open_samples(self) -> None:
        """Load the models that ship with rnnscope."""
        from rnnscope.core.resources import sample_models

        try:
            self.session.open(sample_models())
        except FileNotFoundError as error:
            self.told.emit(str(error))

    def recent(self) -> list[str]:
        """Files that were open before, the last one first."""
        recent = QSettings().value("recent") or []
        return [recent] if isinstance(recent, str) else list(recent)

    def ask_open(self) -> None:
        """Ask for model files."""
        paths, _ = QFileDialog.getOpenFileNames(self.window, "Open models", _folder("folder"), MODELS)
        if paths:
            QSettings().setValue("folder", str(Path(paths[0]).parent))
            self.open(paths)

    def ask_save(self) -> None:
        """Ask where to save the current run."""
        if self.session.current:
            self._ask_save(self.session.current)
        else:
            self.told.emit("Nothing to save yet: open a model or press Train.")

    def ask_save_training(self) -> None:
        """Ask where to save the current run with the snapshots of its training."""
        run = self.session.current
        if run and run.snapshots:
            self._ask_save(run, snapshots=True)
        else:
            self.told.emit("There are no snapshots to save yet: they are taken while a model is trained here.")

    def ask_remove(self) -> None:
        """Take the current run out of the list; ask first if no file has what it learned."""
        run = self.session.current
        buttons = QMessageBox.StandardButton
        if run and run.unsaved:
            question = f"{run.name} is in no file yet. Remove it all the same?"
            if QMessageBox.question(self.window, "Remove the run?", question, buttons.Yes | buttons.No) != buttons.Yes:
                return
        if run:
            self.session.remove(run)

    def may_close(self) -> bool:
        """Offer to save what no file has. False if the user would rather stay, or until everything has been written."""
        unsaved, waiting = self.session.unsaved, len(self.session.queue)
        if not unsaved and not waiting:
            return True
        buttons, questions = QMessageBox.StandardButton, []
        if unsaved:
            questions.append(f"These runs are in no file yet: {', '.join(run.name for run in unsaved)}.")
        if waiting:
            questions.append(f"{waiting} more {'training waits' if waiting == 1 else 'trainings wait'} and will not begin.")
        answer = QMessageBox.question(
            self.window,
            "Save what was trained?" if unsaved else "Close all the same?",
            " ".join(questions),
            (buttons.SaveAll if unsaved else buttons.NoButton) | buttons.Discard | buttons.Cancel,
            buttons.SaveAll if unsaved else buttons.Cancel,
        )
        if answer in (buttons.SaveAll, buttons.Discard):
            self.session.clear_queue()
        if answer == buttons.SaveAll:
            self._closing = all(self._ask_save(run) for run in unsaved)
        return answer == buttons.Discard

    def ask_export_any(self) -> None:
        """Ask which view to export, where and how."""
        self.ask_export("hidden")

    def ask_export(self, view: str) -> None:
        """Ask where and how to export a view; the worker paints it."""
        from rnnscope.app.export_dialog import ExportDialog

        if not self.session.current:
            self.told.emit("Nothing to export yet: open a model or press Train.")
            return
        titles = {name: dock.windowTitle() for name, dock in self.views.items()}
        dialog = ExportDialog(titles, view, self.window)
        accepted = dialog.exec()
        view, options, numbers = dialog.view, dialog.options, dialog.numbers
        dialog.deleteLater()
        if not accepted:
            return
        start = Path(_folder("export/folder")) / f"{self.session.current.name}-{view}.pdf"
        chosen, _ = QFileDialog.getSaveFileName(self.window, "Export", str(start), FIGURES)
        if chosen:
            path = Path(chosen)
            QSettings().setValue("export/folder", str(path.parent))
            self.session.export(view, path, options, path.with_suffix(".csv") if numbers else None)

    def _on_saved(self, run: int, path: str) -> None:
        if self._closing and not self.session.unsaved:
            self.window.close()

    def _on_refused(self, run: int, text: str) -> None:
        self._closing = False

    def _ask_save(self, run: Run, snapshots: bool = False) -> bool:
        start = Path(_folder("folder")) / f"{run.name}.safetensors"
        title = f"Save {run.name}" + " with its training" * snapshots
        path, _ = QFileDialog.getSaveFileName(self.window, title, str(start), MODELS)
        if not path:
            return False
        path = path if path.endswith(".safetensors") else f"{path}.safetensors"
        QSettings().setValue("folder", str(Path(path).parent))
        self.session.save(run, path, snapshots)
        return True


def _folder(key: str) -> str:
    return str(QSettings().value(key, ""))
