"""The demonstration: the window with the sample models; without a display the same work offscreen, written to files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rnnscope.app.preflight import check_libraries, has_display

FOLDER = Path("rnnscope-demo")
SHOWN = "lstm-adding"


def demo() -> list[Path]:
    """Open the window with the sample models; returns what was written where there is no display, else nothing."""
    from rnnscope.app.main import run

    if has_display():
        run(samples=True)
        return []
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    check_libraries()
    FOLDER.mkdir(exist_ok=True)
    return _offscreen()


def _offscreen() -> list[Path]:
    from PySide6.QtCore import QSettings

    from rnnscope.app import main

    main.make_application().setApplicationName("rnnscope-demo")  # with settings of its own
    QSettings().clear()
    window = main.make_window()
    session = window.session
    problems: list[str] = []
    session.worker.refused.connect(lambda run, text: problems.append(text))
    session.worker.failed.connect(lambda run, text, details: problems.append(text))
    main.later(window, (), {}, samples=True)
    window.show()
    written = []
    _wait(window, lambda: problems or (session.runs and not session.busy))
    if not problems:
        _choose(window)
        _wait(window, lambda: True)
        written = _write(window)
        _wait(window, lambda: problems or not session.busy)
    window.close()
    main.close(window)
    if problems:
        raise OSError("; ".join(problems))
    return written


def _wait(window, done: Callable[[], object]) -> None:
    """Let the window live until `done`."""
    from PySide6.QtCore import QEventLoop, QTimer

    loop, looks = QEventLoop(), QTimer(window)
    looks.timeout.connect(lambda: done() and loop.quit())
    looks.start(50)
    loop.exec()
    looks.stop()


def _choose(window) -> None:
    session = window.session
    session.choose(next(run for run in session.runs if run.name == SHOWN))
    session.cursor.move(session.cursor.time_steps * 3 // 4)


def _write(window) -> list[Path]:
    """Leave the figures to the worker, write the rest."""
    from rnnscope.core.comparison import Compared, Comparison
    from rnnscope.core.files import write_whole
    from rnnscope.figures.table import markdown

    session = window.session
    figures = [FOLDER / "comparison.pdf", FOLDER / "comparison.png"]
    for path in figures:
        session.export("reach", path, {"width_mm": 120})
    picture, table = FOLDER / "window.png", FOLDER / "lags.md"
    window.grab().save(str(picture))
    compared = (Compared(run.name, run.configuration.cell, run.configuration.task, run.reaches) for run in session.shown)
    write_whole(table, f"{markdown(Comparison(tuple(compared)))}\n".encode())
    return [*figures, picture, table]
