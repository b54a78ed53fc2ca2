"""The tasks: one file each, one line in TASKS."""

from rnnscope.core.tasks.adding import Adding
from rnnscope.core.tasks.copy_memory import CopyMemory
from rnnscope.core.tasks.digits import Digits
from rnnscope.core.tasks.sequence_length import SequenceLength
from rnnscope.core.tasks.task import Batch, Task

TASKS: dict[str, type[Task]] = {
    "adding": Adding,
    "copy": CopyMemory,
    "length": SequenceLength,
    "digits": Digits,
}

__all__ = ["TASKS", "Adding", "Batch", "CopyMemory", "Digits", "SequenceLength", "Task"]
