"""Settings: validated, frozen values that a form can show, a command line can set and a file can keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class SettingsError(ValueError):
    """A setting that is missing, unknown or out of range; the message names it, what was expected and what came."""


class Settings(BaseModel):
    """Base of everything a user can set: cells' options, tasks, training, the whole configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")


S = TypeVar("S", bound=Settings)


def setting(default: Any, doc: str, *, low=None, high=None, above=None, symbol: str = "", unit: str = "") -> Any:
    """Declare one field with what a form needs: range (`low`..`high` inclusive, `above` exclusive), symbol and unit."""
    return Field(default, ge=low, le=high, gt=above, description=doc, json_schema_extra={"symbol": symbol, "unit": unit})


def limits(field) -> tuple[float | None, float | None]:
    """The smallest and largest value that a field declared by `setting` accepts; None where it is unbounded."""
    low = high = None
    for rule in field.metadata:
        if isinstance(rule, (Ge, Gt)):
            low = rule.ge if isinstance(rule, Ge) else rule.gt
        if isinstance(rule, (Le, Lt)):
            high = rule.le if isinstance(rule, Le) else rule.lt
    return low, high


def make(kind: type[S], values: Mapping[str, Any], where: str = "") -> S:
    """Build `kind` from plain values, raising SettingsError in one line: `where`, field, expected, what came."""
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise SettingsError("; ".join(_sentences(error, kind, where))) from None


def choose(table: Mapping[str, Any], name: str, what: str) -> Any:
    """Look `name` up in one of the project's tables, raising SettingsError that lists the choices."""
    if name not in table:
        raise SettingsError(f"{what}: expected one of {', '.join(table)}; got {name!r}")
    return table[name]


def _sentences(error: ValidationError, kind: type[Settings], where: str) -> Iterable[str]:
    for problem in error.errors():
        path = ".".join(str(part) for part in problem["loc"])
        name = " ".join(part for part in (where, path) if part) or kind.__name__.lower()
        if problem["type"] == "extra_forbidden":
            known = ", ".join(kind.model_fields) or "none"
            yield f"{name}: there is no such setting; expected one of: {known}"
        elif problem["type"] == "missing":
            yield f"{name}: missing"
        elif problem["type"] == "value_error":
            yield f"{where}{': ' if where else ''}{problem['ctx']['error']}"
        else:
            rule = problem["msg"].removeprefix("Input should be ")
            yield f"{name}: expected {rule}; got {problem['input']!r}"
