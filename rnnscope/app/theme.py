"""Dark and light: colours, palettes of heatmaps, and the style of the widgets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

if TYPE_CHECKING:
    import numpy as np

TEXT_PIXELS, TICK_PIXELS = 12, 10.5


@dataclass(frozen=True)
class Theme:
    """The few colours everything is made of."""

    name: str
    background: str
    panel: str
    text: str
    faint: str
    line: str
    accent: str

    def colour(self, role: str) -> str:
        """The hex value of a Style's colour: a role of the theme, or a hex value already."""
        return role if role.startswith("#") else getattr(self, role)


DARK = Theme("dark", "#15181c", "#1b1f24", "#d7dce2", "#5b6570", "#2b3138", "#56b4e9")
LIGHT = Theme("light", "#ffffff", "#f6f7f9", "#1d2229", "#9aa3ad", "#e1e5ea", "#0072b2")
THEMES = {theme.name: theme for theme in (DARK, LIGHT)}


@cache
def palette(name: str, theme: Theme) -> np.ndarray:
    """256 colours (256, 3) uint8 for a Heatmap's palette: vik, cividis, or from the background up."""
    import numpy as np

    from rnnscope.views.palettes import vik

    if name == "signed":
        return (vik() * 255).round().astype(np.uint8)
    if name == "share":
        import pyqtgraph

        return pyqtgraph.colormap.get("cividis").getLookupTable(nPts=256)[:, :3].astype(np.uint8)
    stops = (
        [theme.panel, "#2f6f9f", "#56b4e9", "#f3e9c6"]
        if theme is DARK
        else [theme.background, "#a9cbe3", "#2f7fb3", "#0b2e4f"]
    )
    colours = np.array([QColor(stop).getRgb()[:3] for stop in stops], float)
    at = np.linspace(0, len(stops) - 1, 256)
    return np.stack([np.interp(at, range(len(stops)), channel) for channel in colours.T], -1).astype(np.uint8)


def interface_font() -> QFont:
    """The system's interface font at 12 px with tabular figures; matplotlib's DejaVu Sans where the system has no font."""
    if not QFontDatabase.families():
        fonts = Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf"
        QFontDatabase.addApplicationFont(str(fonts / "DejaVuSans.ttf"))
        QFontDatabase.addApplicationFont(str(fonts / "DejaVuSans-Bold.ttf"))
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    font.setPixelSize(TEXT_PIXELS)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def apply(theme: Theme) -> None:
    """Dress the application."""
    app = QApplication.instance()
    roles = QPalette.ColorRole
    colours = QPalette()
    for role, value in {
        roles.Window: theme.background,
        roles.Base: theme.panel,
        roles.AlternateBase: theme.background,
        roles.Button: theme.panel,
        roles.ToolTipBase: theme.panel,
        roles.WindowText: theme.text,
        roles.Text: theme.text,
        roles.ButtonText: theme.text,
        roles.ToolTipText: theme.text,
        roles.PlaceholderText: theme.faint,
        roles.Highlight: theme.accent,
        roles.HighlightedText: theme.background,
        roles.Link: theme.accent,
    }.items():
        colours.setColor(role, QColor(value))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        colours.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.faint))
    app.setStyleSheet("")  # polishing all widgets from one sheet to another takes four times as long
    app.setPalette(colours)
    app.setStyleSheet(_STYLE.format(**vars(theme), tick=TICK_PIXELS))


_STYLE = """
* {{ font-size: 12px; }}
QMainWindow, QMainWindow::separator {{ background: {background}; }}
QMainWindow::separator {{ width: 8px; height: 4px; }}
QMenuBar {{ background: {background}; color: {text}; padding: 2px 8px; }}
QMenuBar::item {{ padding: 4px 8px; background: transparent; }}
QMenuBar::item:selected, QMenu::item:selected {{ background: {line}; }}
QMenu {{ background: {panel}; color: {text}; border: 1px solid {line}; padding: 4px; }}
QMenu::item {{ padding: 4px 24px 4px 16px; }}
QMenu::item:disabled {{ color: {faint}; }}
QMenu::separator {{ height: 1px; background: {line}; margin: 4px 8px; }}
QToolTip {{ background: {panel}; color: {text}; border: 1px solid {line}; padding: 4px; }}
QDockWidget {{ color: {text}; }}
#panel {{ background: {panel}; }}
#section {{ font-weight: 600; color: {text}; padding-top: 8px; }}
#faint, #faint:disabled {{ color: {faint}; }}
#problem {{ color: {text}; background: {line}; padding: 8px; }}
QPushButton, QToolButton, QComboBox, QSpinBox, QDoubleSpinBox, QLineEdit {{
    background: {background}; color: {text}; border: 1px solid {line}; padding: 3px 8px; min-height: 16px; }}
QPushButton:hover, QToolButton:hover, QComboBox:hover, QSpinBox:hover, QLineEdit:hover {{ border-color: {faint}; }}
QPushButton:focus, QComboBox:focus, QSpinBox:focus, QLineEdit:focus, QListWidget:focus {{ border-color: {accent}; }}
QPushButton:pressed, QToolButton:pressed {{ background: {line}; }}
QToolButton#measure {{ background: transparent; border: none; color: {faint}; padding: 2px 0; font-size: {tick}px; }}
QToolButton#measure:hover {{ color: {text}; }}
QToolButton#measure:checked {{ color: {text}; border-bottom: 2px solid {accent}; }}
QPushButton:disabled, QToolButton:disabled, QComboBox:disabled, QSpinBox:disabled, QLineEdit:disabled {{
    color: {faint}; border-color: {line}; background: {panel}; }}
QPushButton#primary {{ background: {accent}; color: {background}; border-color: {accent}; font-weight: 600; }}
QPushButton#primary:disabled {{ background: {line}; color: {faint}; border-color: {line}; }}
QSpinBox, QLineEdit[numeric="true"] {{ qproperty-alignment: 'AlignRight|AlignVCenter'; }}
QLineEdit[numeric="true"] {{ padding-right: 1px; }}
QSpinBox::up-button, QSpinBox::down-button {{ width: 0; border: none; }}
QComboBox::drop-down {{ border: none; width: 18px; }}
QComboBox::down-arrow {{ image: none; width: 0; height: 0; border-left: 4px solid {panel};
    border-right: 4px solid {panel}; border-top: 5px solid {faint}; margin-right: 8px; }}
QComboBox QAbstractItemView {{ background: {panel}; color: {text}; border: 1px solid {line}; }}
QListWidget, QTableWidget {{ background: {panel}; color: {text}; border: none; gridline-color: {line}; outline: none; }}
QListWidget::item {{ padding: 4px 2px; }}
QListWidget::item:selected, QTableWidget::item:selected {{ background: {line}; color: {text}; }}
QListWidget::item:disabled {{ color: {faint}; }}
QTableWidget {{ padding-right: 8px; }}
QTableWidget::item {{ padding: 0 3px; }}
QTableWidget#numbers, #numbers QHeaderView {{ font-size: {tick}px; }}
QHeaderView {{ background: {panel}; }}
QHeaderView::section {{ background: {panel}; color: {faint}; border: none; padding: 2px 6px; font-weight: 400; }}
QTableCornerButton::section {{ background: {panel}; border: none; }}
QProgressBar {{ background: {line}; border: none; max-height: 4px; min-height: 4px; }}
QProgressBar::chunk {{ background: {accent}; }}
QSlider::groove:horizontal {{ height: 2px; background: {faint}; }}
QSlider::handle:horizontal {{ width: 4px; margin: -8px 0; background: {accent}; }}
QScrollArea, QScrollArea > QWidget > QWidget {{ background: {panel}; border: none; }}
QScrollArea#plots, QScrollArea#plots > QWidget > QWidget {{ background: {background}; }}
QScrollBar:vertical {{ width: 8px; background: transparent; }}
QScrollBar:horizontal {{ height: 8px; background: transparent; }}
QScrollBar::handle {{ background: {line}; min-height: 24px; min-width: 24px; }}
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{
    background: none; width: 0; height: 0; }}
QCheckBox::indicator, QListWidget::indicator {{ width: 11px; height: 11px; border: 1px solid {faint}; }}
QCheckBox::indicator:checked, QListWidget::indicator:checked {{ background: {accent}; border-color: {accent}; }}
QTabBar {{ qproperty-drawBase: 0; }}
QTabBar::tab {{ background: {background}; color: {faint}; padding: 4px 12px; border: none; }}
QTabBar::tab:selected {{ color: {text}; border-bottom: 2px solid {accent}; }}
QPlainTextEdit {{ background: {panel}; color: {text}; border: 1px solid {line}; }}
"""
