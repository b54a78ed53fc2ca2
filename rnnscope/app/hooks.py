"""What nobody caught reaches the window, from whichever thread, and stderr for a bug report."""

from __future__ import annotations

import sys
import threading
import traceback

from PySide6.QtCore import QObject

from rnnscope.app.session import Session


class Hooks(QObject):
    """Stands in Python's exception hooks until `restore`. It may be called on any thread: it only emits and writes."""

    def __init__(self, session: Session):
        super().__init__(session)
        self.session = session
        self._before = sys.excepthook, threading.excepthook
        sys.excepthook, threading.excepthook = self._tell, self._tell_of_thread

    def restore(self) -> None:
        """Put back what was there before."""
        sys.excepthook, threading.excepthook = self._before

    def _tell(self, kind, error, trace) -> None:
        details = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(details)
        self.session.told.emit(f"{kind.__name__}: {error}", details)

    def _tell_of_thread(self, about) -> None:
        self._tell(about.exc_type, about.exc_value, about.exc_traceback)
