"""Keys and ids as SQL, for statements that share none with the sweep's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

from psycopg.sql import SQL, Composable

from retention_worker.store.catalog import Table
from retention_worker.store.quoting import column, identifier, listed


def equality(left: Composable, right: Composable, schema: str) -> Composable:
    """Two values are the same, by the operators of a schema: the search_path chooses none."""
    return SQL("{} OPERATOR({}.=) {}").format(left, identifier(schema), right)


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
    return SQL("'[' || {} || ']'").format(listed(parts, " || ', ' || "))


def constants(values: Iterable[Any]) -> list[str]:
    """Values of the data map as the texts that PostgreSQL reads."""
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
