"""Names, types and literals as SQL, for statements that share none with the sweep's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from retention_worker.domain.datamap.columns import TableName
from retention_worker.store.catalog import Column, Table


def quoted(*names: str) -> Composable:
    """A quoted name; a percent sign is doubled, because statements run with parameters."""
    return _doubled(Identifier(*names))


def literal(text: str) -> Composable:
    """A text as a literal, its percent signs doubled."""
    return _doubled(Literal(text))


def _doubled(part: Composable) -> Composable:
    return SQL(part.as_string(None).replace("%", "%%"))


def table(name: TableName) -> Composable:
    """A quoted table."""
    return quoted(name.schema_name, name.name)


def column(alias: LiteralString, name: str) -> Composable:
    """A quoted column of an alias."""
    return SQL("{}.{}").format(SQL(alias), quoted(name))


def type_of(info: Column) -> Composable:
    """A column's quoted type, without its modifier."""
    return quoted(info.type_schema, info.type_name)


def joined(parts: Iterable[Composable], separator: LiteralString = ", ") -> Composed:
    """The parts with a separator."""
    return SQL(separator).join(parts)


def conjunction(conditions: Sequence[Composable]) -> Composable:
    """All of the conditions; TRUE where there is none."""
    return joined(conditions, " AND ") if conditions else SQL("TRUE")


def equality(left: Composable, right: Composable, schema: str) -> Composable:
    """Two values are the same, by the operators of a schema: the search_path chooses none."""
    return SQL("{} OPERATOR({}.=) {}").format(left, quoted(schema), right)


Side = tuple[LiteralString, Table, Sequence[str]]
"""A key: an alias, its table and the columns."""


def key_equality(left: Side, right: Side) -> list[Composable]:
    """Two keys are the same, column by column."""
    (mine, info, columns), (theirs, other, others) = left, right
    return [
        equality(column(mine, a), column(theirs, b), info.column(a).operators_with(other.column(b)))
        for a, b in zip(columns, others, strict=True)
    ]


def id_text(alias: LiteralString, columns: Sequence[str]) -> Composable:
    """An id as the worker's own tables keep it: its text, or a JSON array of texts."""
    texts = [SQL("{}::text").format(column(alias, name)) for name in columns]
    if len(texts) == 1:
        return texts[0]
    parts = [SQL("to_json({})::text").format(text) for text in texts]
    return SQL("'[' || {} || ']'").format(joined(parts, " || ', ' || "))


def constants(values: Iterable[Any]) -> list[str]:
    """Values of the data map as the texts that PostgreSQL reads."""
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
