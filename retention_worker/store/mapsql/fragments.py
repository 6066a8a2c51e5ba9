"""Small pieces of SQL: tables, columns, types, constants of the map, rows of keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from retention_worker.domain.datamap import TableName
from retention_worker.store.catalog import Column

__all__ = [
    "all_of",
    "column",
    "constant",
    "equal",
    "identifier",
    "listed",
    "same_key",
    "table",
    "type_of",
]

TRUE = SQL("TRUE")


def identifier(*parts: str) -> Composable:
    """A quoted name; a percent sign is doubled as in `constant`."""
    return _literally(Identifier(*parts))


def table(name: TableName) -> Composable:
    """The quoted name of a table."""
    return identifier(name.schema_name, name.name)


def column(alias: str, name: str) -> Composable:
    """A quoted column of an alias."""
    return SQL("{}.{}").format(SQL(alias), identifier(name))


def type_of(info: Column, array: bool = False) -> Composed:
    """The quoted type of a column, without its modifier."""
    suffix = SQL("[]") if array else SQL("")
    return SQL("{}{}").format(identifier(info.type_schema, info.type_name), suffix)


def constant(value: Any) -> Composable:
    """A value of the data map as a literal.

    It is a literal and no parameter, as names are, so that partial indexes on a kind serve. A
    percent sign is doubled, because every statement here is run with parameters.
    """
    return _literally(Literal(value))


def _literally(part: Composable) -> Composable:
    return SQL(part.as_string(None).replace("%", "%%"))


def listed(parts: Iterable[Composable], separator: LiteralString = ", ") -> Composed:
    """The parts with a separator."""
    return SQL(separator).join(parts)


def all_of(conditions: Sequence[Composable]) -> Composable:
    """A conjunction; TRUE of nothing."""
    return listed(conditions, " AND ") if conditions else TRUE


def equal(left: Composable, right: Composable) -> Composable:
    """Equality of two expressions."""
    return SQL("{} = {}").format(left, right)


def same_key(
    alias: str, columns: Sequence[str], other: str, other_columns: Sequence[str]
) -> list[Composable]:
    """Equality of two keys, column by column."""
    return [
        equal(column(alias, mine), column(other, theirs))
        for mine, theirs in zip(columns, other_columns, strict=True)
    ]
