"""The window: PySide6 and pyqtgraph, the only place with signals, threads and state that changes."""
