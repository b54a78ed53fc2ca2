"""The recurrent cells: one equation, one file, one line in CELLS."""

from rnnscope.core.cells.cell import Cell
from rnnscope.core.cells.elman import Elman
from rnnscope.core.cells.gru import GRU
from rnnscope.core.cells.lstm import LSTM
from rnnscope.core.cells.rwa import RWA

CELLS: dict[str, type[Cell]] = {"elman": Elman, "lstm": LSTM, "gru": GRU, "rwa": RWA}

__all__ = ["CELLS", "GRU", "LSTM", "RWA", "Cell", "Elman"]
