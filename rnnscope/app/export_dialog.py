"""The dialog that asks how a view is to be exported: size in mm, resolution, and whether its numbers come along."""

from __future__ import annotations

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QCheckBox, QComboBox, QDialog, QDialogButtonBox, QFormLayout, QSpinBox, QWidget

WIDTHS = {"single column, 89 mm": 89, "one and a half, 120 mm": 120, "double column, 183 mm": 183}
OWN = "own width"


class ExportDialog(QDialog):
    """Answers with `view` and `options`; where to save is asked by the system's file dialog afterwards."""

    def __init__(self, views: dict[str, str], view: str, parent: QWidget):
        super().__init__(parent)
        self.setWindowTitle("Export a view")
        rows = QFormLayout(self)
        self._view = QComboBox(self)
        for name, title in views.items():
            self._view.addItem(title, name)
        self._view.setCurrentIndex(max(0, self._view.findData(view)))
        self._preset = QComboBox(self)
        self._preset.addItems([*WIDTHS, OWN])
        self._width, self._height, self._dpi = (_spin(self, *limits) for limits in ((20, 500), (0, 500), (50, 1200)))
        self._height.setSpecialValueText("as needed")
        for box in (self._width, self._height):
            box.setSuffix(" mm")
        self._dpi.setSuffix(" dpi")
        self._numbers = QCheckBox("Save its numbers as CSV beside it", self)
        settings = QSettings()
        for name, box, default in (("width", self._width, 183), ("height", self._height, 0), ("dpi", self._dpi, 300)):
            kept = str(settings.value(f"export/{name}", default))
            box.setValue(int(kept) if kept.isdecimal() else default)
        self._numbers.setChecked(settings.value("export/numbers", "false") == "true")
        for name, widget in (
            ("View", self._view),
            ("Format for", self._preset),
            ("Width", self._width),
            ("Height", self._height),
            ("Heatmaps at", self._dpi),
            ("", self._numbers),
        ):
            rows.addRow(name, widget)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel, self)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        rows.addRow(buttons)
        self._preset.currentTextChanged.connect(self._on_preset)
        self._width.valueChanged.connect(self._on_width)
        self._on_width(self._width.value())

    @property
    def view(self) -> str:
        """The chosen view, a key of VIEWS."""
        return self._view.currentData()

    @property
    def options(self) -> dict:
        """Keyword arguments of figures.save_figure."""
        return {
            "width_mm": self._width.value(),
            "height_mm": self._height.value() or None,
            "dpi": self._dpi.value(),
        }

    @property
    def numbers(self) -> bool:
        """Whether a CSV is wanted too."""
        return self._numbers.isChecked()

    def accept(self) -> None:
        """Remember the choice for the next time."""
        settings = QSettings()
        settings.setValue("export/width", self._width.value())
        settings.setValue("export/height", self._height.value())
        settings.setValue("export/dpi", self._dpi.value())
        settings.setValue("export/numbers", "true" if self.numbers else "false")
        super().accept()

    def _on_preset(self, words: str) -> None:
        if words in WIDTHS:
            self._width.setValue(WIDTHS[words])

    def _on_width(self, width: int) -> None:
        self._preset.setCurrentText(next((words for words, value in WIDTHS.items() if value == width), OWN))


def _spin(parent: QWidget, low: int, high: int) -> QSpinBox:
    box = QSpinBox(parent)
    box.setRange(low, high)
    return box
