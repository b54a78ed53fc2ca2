"""What is heavy comes on a thread of its own, piece by piece, while the window answers."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QObject, QThread, QTimer

AT_A_TIME = 0.008  # seconds of the GUI thread that go into Qt's classes before it answers again
SESSION = ("session", "setup_panel", "transport", "file_dialogs", "message_bar", "garbage", "hooks")
DOCKS = ("view_dock", "lag_table")


class Imports(QThread):
    """Three pieces; after each the window is given what has become possible, and only then comes the next: two that run
    Python at a time would share the interpreter, and both be slow.

    session, docks, core  called on the GUI thread after the modules of SESSION, those of DOCKS, and torch's library

    Before all that, Qt's classes are made, on the GUI thread: PySide makes each when it is first asked for, pyqtgraph asks
    for all of them, and where two threads do so at a time, one start in thirty ended in a segmentation fault.
    """

    def __init__(self, session: Callable[[], None], docks: Callable[[], None], core: Callable[[], None], parent: QObject):
        super().__init__(parent)
        self.setObjectName("imports")
        pieces = ((_import_session, session), (_import_docks, docks), (load_torch_library, core))
        self._pieces, self._classes = iter(pieces), _classes()
        self.finished.connect(self._on_finished)
        self.make_classes()

    def make_classes(self) -> None:
        """Make some of Qt's classes, and go on in a moment, or with the first piece."""
        until = time.perf_counter() + AT_A_TIME
        for _ in self._classes:
            if time.perf_counter() > until:
                QTimer.singleShot(0, self, self.make_classes)
                return
        self.begin()

    def begin(self) -> None:
        """Start the next piece, if there is one."""
        if piece := next(self._pieces, None):
            self._work, self._use = piece
            self.start()

    def run(self) -> None:
        """One piece, on the thread."""
        self._work()

    def _on_finished(self) -> None:
        try:
            self._use()
        finally:
            self.begin()


def _classes() -> Iterator[type]:
    """All that the modules have which are used here and by pyqtgraph, each made when it is its turn."""
    return (getattr(module, name) for module in (QtCore, QtGui, QtWidgets) for name in dir(module))


def load_torch_library() -> None:
    """Load the shared library below torch in the way torch does, but without the interpreter's lock: an import keeps it for
    a quarter of a second, and the window stands still. Where that fails, torch itself will say why.
    """
    torch = find_spec("torch")
    if sys.platform != "linux" or torch is None:
        return
    load = ctypes.CDLL(None).dlopen
    load.restype, load.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
    libraries = Path(torch.origin).parent / "lib"
    load(os.fsencode(libraries / "libtorch_global_deps.so"), os.RTLD_NOW | os.RTLD_GLOBAL)
    load(os.fsencode(libraries / "libtorch.so"), os.RTLD_NOW)


def _import_session() -> None:
    for name in SESSION:
        import_module(f"rnnscope.app.{name}")


def _import_docks() -> None:
    for name in DOCKS:
        import_module(f"rnnscope.app.{name}")
