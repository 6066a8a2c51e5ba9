"""Names, types and literals as SQL: quoting, which statements of every room may share.

A percent sign is doubled, because every statement that is composed of these runs with parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from retention_worker.domain.datamap.columns import TableName
from retention_worker.store.catalog import Column

TRUE = SQL("TRUE")


def identifier(*parts: str) -> Composable:
    """A quoted name."""
    return _doubled(Identifier(*parts))


def literal(value: Any) -> Composable:
    """A value of the data map, which is no parameter, so that partial indexes on a kind serve."""
    return _doubled(Literal(value))


def _doubled(part: Composable) -> Composable:
    return SQL(part.as_string(None).replace("%", "%%"))


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


def listed(parts: Iterable[Composable], separator: LiteralString = ", ") -> Composed:
    """The parts with a separator."""
    return SQL(separator).join(parts)


def all_of(conditions: Sequence[Composable]) -> Composable:
    """A conjunction; TRUE of nothing."""
    return listed(conditions, " AND ") if conditions else TRUE
