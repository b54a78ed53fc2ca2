"""The application: QApplication, exception hooks, and what happens in which order at the start."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnnscope.app.preflight import check_display

SWITCH_INTERVAL = 1e-4  # s: how soon the training thread lets the window have the interpreter


def run(files: Sequence[Path | str] = (), models: dict[str, Any] | None = None, samples: bool = False) -> int:
    """Open the window, with model files, models made in Python or the sample models in it; returns when it is closed."""
    check_display()
    from PySide6.QtCore import QTimer

    app = make_application()
    window = bare_window()
    later(window, files, models or {}, samples)
    window.show()
    interrupted = signal.signal(signal.SIGINT, lambda *_: QTimer.singleShot(0, window, window.close))  # never amid a paint
    status = app.exec()
    signal.signal(signal.SIGINT, interrupted)
    close(window)
    return status


def show(*models: Any, **named: Any) -> int:
    """Open the window from Python: models, paths of model files, or name=model; returns when it is closed.

    >>> rnnscope.show(model, "sample_models/lstm-adding.safetensors", mine=other)  # doctest: +SKIP
    """
    files = [item for item in models if isinstance(item, (str, Path))]
    made = [item for item in models if not isinstance(item, (str, Path))]
    numbered = {f"{model.name} {n}": model for n, model in enumerate(made, 1)}
    return run(files, numbered | named)


def make_application():
    """The QApplication, with its name, font and icon."""
    from PySide6.QtCore import qInstallMessageHandler
    from PySide6.QtGui import QGuiApplication, QIcon
    from PySide6.QtWidgets import QApplication

    from rnnscope.app.theme import interface_font
    from rnnscope.core.resources import folder

    qInstallMessageHandler(_on_qt_message)
    if app := QApplication.instance():
        app.setStyle("Fusion")
    else:
        app = QApplication([*sys.argv[:1], "-style", "Fusion"])  # setStyle hands back a QStyle, which takes 10 ms to make
    app.setOrganizationName("rnnscope")
    app.setApplicationName("rnnscope")
    app.setFont(interface_font())
    QGuiApplication.setDesktopFileName("rnnscope")
    app.setWindowIcon(QIcon(str(folder("assets") / "icon.svg")))
    return app


def make_window():
    """The window with its session, without docks; nothing heavy is imported, and no thread runs."""
    window = bare_window()
    furnish(window)
    return window


def bare_window():
    """A window with nothing in it."""
    from rnnscope.app.main_window import MainWindow

    window = MainWindow()
    window.setProperty("interpreter", (sys.getswitchinterval(), gc.isenabled()))
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.disable()
    return window


def furnish(window) -> None:
    """Give a bare window its session."""
    from rnnscope.app.garbage import Collector
    from rnnscope.app.hooks import Hooks
    from rnnscope.app.session import Session

    session = Session()
    Hooks(session)
    Collector(session)
    window.furnish(session)


def later(window, files: Sequence[Path | str], models: dict[str, Any], samples: bool) -> None:
    """Once the window is painted: import piece by piece, add what each piece makes possible, open what was asked for."""
    from PySide6.QtCore import QCoreApplication, QTimer

    from rnnscope.app.imports import Imports

    def add_session():
        if window.session is None:
            furnish(window)

    def begin():
        """Give the session what it opens with."""
        if window.session is None:  # the import failed, and stderr has the reason
            QCoreApplication.exit(1)
            return
        window.session.worker.start()
        window.files.open(files)
        for name, model in models.items():
            window.session.adopt(name, model)
        if samples:
            window.files.open_samples()

    def start():
        Imports(add_session, window.build, begin, window)

    window.painted.connect(lambda: QTimer.singleShot(0, window, start))


def close(window) -> None:
    """End the threads and delete the window before Python lets go of it: a live plot at exit can crash."""
    from PySide6.QtCore import QCoreApplication, QEvent

    from rnnscope.app.hooks import Hooks
    from rnnscope.app.imports import Imports

    for imports in window.findChildren(Imports):
        imports.wait()
    if window.session:
        window.session.finish()
        window.session.findChild(Hooks).restore()
    interval, collects = window.property("interpreter")
    sys.setswitchinterval(interval)
    gc.unfreeze()
    if collects:
        gc.enable()
    window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def _on_qt_message(kind, context, text: str) -> None:
    """Qt's own messages go to stderr, but for what the offscreen platform says of every window."""
    if "propagateSizeHints" not in text:
        sys.stderr.write(f"Qt: {text}\n")
