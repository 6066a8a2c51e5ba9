"""Small pieces of SQL: keys, ids, and how rows are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg.sql import SQL, Composable

from retention_worker.store.catalog import Column, Table
from retention_worker.store.quoting import column, identifier, listed


@dataclass(frozen=True, kw_only=True)
class KeyOf:
    """Columns by which rows are compared: how they are written, and what they are."""

    values: tuple[Composable, ...]
    columns: tuple[Column, ...]


def key_of(alias: str, info: Table, names: Sequence[str]) -> KeyOf:
    """A key of a table that is called `alias`."""
    return KeyOf(
        values=tuple(column(alias, name) for name in names),
        columns=tuple(info.column(name) for name in names),
    )


def id_text(alias: str, names: Sequence[str]) -> Composable:
    """An id as the worker's own tables keep it: its text, or a JSON array of texts."""
    texts = [SQL("{}::text").format(column(alias, name)) for name in names]
    if len(texts) == 1:
        return texts[0]
    return SQL("json_build_array({})::text").format(listed(texts))


def operator(schema: str, name: LiteralString) -> Composable:
    """An operator of a schema; the search_path chooses none."""
    return SQL("OPERATOR({}.{})").format(identifier(schema), SQL(name))


def equal(left: Composable, right: Composable, schema: str) -> Composable:
    """Equality of two expressions, by the operators of a schema."""
    return SQL("{} {} {}").format(left, operator(schema, "="), right)


def same_key(left: KeyOf, right: KeyOf) -> list[Composable]:
    """Equality of two keys, column by column."""
    sides = zip(left.values, left.columns, right.values, right.columns, strict=True)
    return [equal(a, b, mine.operators_with(theirs)) for a, mine, b, theirs in sides]


def has_values(key: KeyOf, values: Sequence[Composable]) -> list[Composable]:
    """Whether the key has values of its own types."""
    sides = zip(key.values, key.columns, values, strict=True)
    return [equal(mine, value, info.operators) for mine, info, value in sides]


def compared(
    left: Sequence[Composable],
    name: LiteralString,
    right: Sequence[Composable],
    schemas: Sequence[str],
) -> Composable:
    """Two rows by `>` or `<=`, in the order in which ORDER BY has them.

    Where the columns' operators are of several schemas a comparison of rows has no one operator, so
    it is spelled out; its first column is bounded by itself, for the index.
    """
    if len(set(schemas)) == 1:
        return SQL("({}) {} ({})").format(listed(left), operator(schemas[0], name), listed(right))
    last = len(left) - 1
    strict: LiteralString = name.rstrip("=")
    found: Composable = SQL("{} {} {}").format(
        left[last], operator(schemas[last], name), right[last]
    )
    for a, b, schema in reversed(list(zip(left[:last], right[:last], schemas[:last], strict=True))):
        found = SQL("({} {} {} OR ({} AND {}))").format(
            a, operator(schema, strict), b, equal(a, b, schema), found
        )
    bound = SQL("{} {} {}").format(left[0], operator(schemas[0], f"{strict}="), right[0])
    return SQL("({} AND {})").format(bound, found)
