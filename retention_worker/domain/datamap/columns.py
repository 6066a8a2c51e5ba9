"""Names in somebody else's database: tables, keys, columns with a time, conditions on columns.

Names are literal: their case is kept and they are always quoted.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

MAX_IDENTIFIER_BYTES = 63  # PostgreSQL cuts longer names silently (NAMEDATALEN - 1)

Scalar = str | int | bool | None


class MapPart(BaseModel):
    """What every part of the data map is: frozen, of exact types, without unknown or empty keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        # An empty `where:` would otherwise be no condition at all, and an empty `tenant:` a
        # database of one tenant: a missing value never means delete.
        if value is None:
            raise ValueError("is empty: write a value, or leave the line out")
        return value


def listed(value: Any) -> Any:
    """A list as a tuple; what is no list is left for pydantic to refuse."""
    return tuple(value) if isinstance(value, list) else value


def one_or_many(value: Any) -> Any:
    """A list as a tuple, and a single value as a tuple of one."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _identifier(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        raise ValueError("is no name: write it in quotes")
    if not isinstance(value, str) or not value:
        raise ValueError("is no name: write one")
    if "\x00" in value or len(value.encode()) > MAX_IDENTIFIER_BYTES:
        raise ValueError(f"is no name: write 1 to {MAX_IDENTIFIER_BYTES} bytes without a NUL")
    return value


Identifier = Annotated[str, BeforeValidator(_identifier)]


def _key(value: Any) -> Any:
    if isinstance(value, dict) or value is None or value in ([], ()):
        raise ValueError("is no column: write its name, or a list of names")
    columns = one_or_many(value)
    twice = [name for name in columns if isinstance(name, str) and columns.count(name) > 1]
    if twice:
        raise ValueError(f"has column {twice[0]} twice: keep one")
    return columns


# One column, or the columns of a composite key in order.
Key = Annotated[tuple[Identifier, ...], BeforeValidator(_key), Field(min_length=1)]
# Any number of columns.
Columns = Annotated[tuple[Identifier, ...], BeforeValidator(listed)]

_TABLE = "is no table: write schema.table, or [schema, table] where a name has a dot"


class TableName(MapPart):
    """A table: `schema.table`, or `[schema, table]` where a name has a dot in it."""

    schema_name: Identifier
    name: Identifier

    @model_validator(mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            parts = value.split(".")
        elif isinstance(value, list) and all(isinstance(part, str) for part in value):
            parts = value
        elif isinstance(value, TableName) or (
            isinstance(value, dict) and value.keys() == {"schema_name", "name"}
        ):
            return value
        else:
            raise ValueError(_TABLE)
        if len(parts) != 2 or not all(parts):
            raise ValueError(_TABLE)
        return {"schema_name": parts[0], "name": parts[1]}

    def __str__(self) -> str:
        return f"{self.schema_name}.{self.name}"


class TimeUnit(StrEnum):
    """The unit of an epoch number."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"

    @property
    def per_second(self) -> int:
        """How many of it are in a second."""
        return {"s": 1, "ms": 1_000, "us": 1_000_000}[self.value]


class TimeColumn(MapPart):
    """A column that holds a time.

    `unit` says that it is a number since the epoch; `time_zone` says in which zone a `timestamp`
    without time zone or a `date` was written (UTC where it is not given).
    """

    column: Identifier
    unit: TimeUnit | None = None
    time_zone: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"column": value}
        if not isinstance(value, dict | TimeColumn):
            raise ValueError("is no column: write its name, or {column: name, unit: ms}")
        return value

    @field_validator("unit", mode="before")
    @classmethod
    def _unit(cls, value: Any) -> Any:
        if isinstance(value, str) and value in set(TimeUnit):
            return TimeUnit(value)
        raise ValueError("is no unit: write s, ms or us")

    @field_validator("time_zone", mode="before")
    @classmethod
    def _zone(cls, value: Any) -> Any:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, TypeError, ValueError, OSError) as exc:
            message = "is no time zone: write one of the IANA database, like Europe/Berlin"
            raise ValueError(message) from exc
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> TimeColumn:
        if self.unit is not None and self.time_zone is not None:
            raise ValueError("an epoch number has no time zone: write unit or time_zone")
        return self


TimeColumns = Annotated[
    tuple[TimeColumn, ...],
    BeforeValidator(one_or_many),
    Field(min_length=1),
]


def _scalar(value: Any) -> Any:
    # A float is equal to what a database holds by luck alone.
    if value is None or isinstance(value, str | bool | int):
        return value
    raise ValueError("is no value to compare with: write a text, a whole number, true, false, null")


# The values that a column is compared with; one alone needs no brackets.
Values = Annotated[
    tuple[Annotated[Scalar, BeforeValidator(_scalar)], ...],
    BeforeValidator(one_or_many),
    Field(min_length=1),
]


def _where(value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        raise ValueError("is no condition: write column: value or column: [values] under it")
    return value


# Column -> the values that belong to the entry.
Where = Annotated[dict[Identifier, Values], BeforeValidator(_where)]
