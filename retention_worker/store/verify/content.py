"""Which rows of a table belong to an entry, and whether a row still holds what an erasure takes."""

from __future__ import annotations

import json
from typing import Any, LiteralString

from psycopg.sql import SQL, Composable

from retention_worker.domain.columns import Where
from retention_worker.domain.datamap import Credential, SetAndRemove
from retention_worker.domain.errors import DriftError
from retention_worker.store.catalog import Column, Table
from retention_worker.store.verify.names import (
    Quote,
    column,
    conjunction,
    constants,
    joined,
    parameter_safe,
    type_of,
)

__all__ = ["belongs", "holds"]

_JSON = {"json", "jsonb"}
# They have no equality of their own.
_AS_TEXT = {"xml", "point", "polygon", "path", "box", "lseg", "line", "circle"}


def belongs(
    info: Table, where: Where | None, alias: LiteralString, quote: Quote = parameter_safe
) -> Composable:
    """Whether a row is one of those that a `where` names."""
    wanted = (where or {}).items()
    return conjunction([_one_of(info, name, alias, values, quote) for name, values in wanted])


def _one_of(
    info: Table, name: str, alias: LiteralString, values: tuple[Any, ...], quote: Quote
) -> Composable:
    kind = type_of(info.column(name))
    named = constants(value for value in values if value is not None)
    options: list[Composable] = [
        SQL("{} = {}::{}").format(column(alias, name), quote(text), kind) for text in named
    ]
    if None in values:
        options.append(SQL("{} IS NULL").format(column(alias, name)))
    return SQL("({})").format(joined(options, " OR "))


def holds(
    info: Table, entry: Credential, alias: LiteralString, quote: Quote = parameter_safe
) -> Composable:
    """Whether a row holds anything that an erasure by this entry would take."""
    erase = entry.erase
    if not isinstance(erase, SetAndRemove):
        return SQL("TRUE")
    row_id = _row_id(info, entry, alias)
    parts = [
        _differs(info.column(name), alias, value, row_id, quote)
        for name, value in erase.set.items()
    ]
    for name, paths in erase.remove.items():
        info.column(name)
        parts += [
            SQL("({}::jsonb #> ARRAY[{}]::text[]) IS NOT NULL").format(
                column(alias, name), joined(quote(str(step)) for step in path)
            )
            for path in paths
        ]
    return SQL("({})").format(joined(parts, " OR "))


def _row_id(info: Table, entry: Credential, alias: LiteralString) -> Composable:
    names = info.primary_key or entry.key
    texts = [SQL("{}::text").format(column(alias, name)) for name in names]
    return SQL("concat_ws('-', {})").format(joined(texts))


def _differs(
    info: Column, alias: LiteralString, value: Any, row_id: Composable, quote: Quote
) -> Composable:
    mine, kind = column(alias, info.name), type_of(info)
    if value is None:
        return SQL("{} IS NOT NULL").format(mine)
    if info.type_name in _JSON:
        blank = quote(json.dumps(value))
        return SQL("{}::jsonb IS DISTINCT FROM {}::jsonb").format(mine, blank)
    blank = SQL("{}::{}").format(_blank(info, value, row_id, quote), kind)
    if info.type_name in _AS_TEXT:
        return SQL("{}::text IS DISTINCT FROM ({})::text").format(mine, blank)
    return SQL("{} IS DISTINCT FROM {}").format(mine, blank)


def _blank(info: Column, value: Any, row_id: Composable, quote: Quote) -> Composable:
    if isinstance(value, dict):
        raise DriftError(
            f"config/datamap.yaml: column {info.name} is no json column: write a plain value"
        )
    if isinstance(value, list):
        return SQL("ARRAY[{}]::text[]").format(joined(quote(text) for text in constants(value)))
    (text,) = constants([value])
    if "{id}" not in text:
        return quote(text)
    return SQL("replace({}, {}, {})").format(quote(text), quote("{id}"), row_id)
