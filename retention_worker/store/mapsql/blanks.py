"""Columns that are blanked: their new values, and whether a row still differs from them."""

from __future__ import annotations

import json
from typing import Any

from psycopg.sql import SQL, Composable

from retention_worker.domain.datamap.credential import SetAndRemove
from retention_worker.domain.errors import DriftError
from retention_worker.store.catalog import Column, Table
from retention_worker.store.mapsql.jsonpaths import JSON_TYPES, still_has, taken_out
from retention_worker.store.quoting import column, identifier, listed, literal, type_of

# Types of the server whose `=` is missing, or means less than the same (circles of equal area).
_TEXTUAL = {"json", "xml", "point", "polygon", "path", "box", "lseg", "line", "circle"}


class Blanks:
    """The blanks of one entry.

    Args:
        erase: what the map says.
        info: the table, whose row is `c` in the statement.
        key: the columns that name a row, for `{id}`.
        where: the entry's place in the map, for messages.

    Raises:
        DriftError: from each method, where a column is missing or the value does not fit its type.
    """

    def __init__(self, erase: SetAndRemove, info: Table, key: tuple[str, ...], where: str) -> None:
        self._erase = erase
        self._info = info
        self._key = key
        self._where = where

    def differs(self) -> Composable:
        """Whether an erasure would still change the row."""
        found = []
        for name, value in self._erase.set.items():
            info, current = self._info.column(name), column("c", name)
            found.append(_differs(info, current, self._value(info, value), value))
        for name, paths in self._erase.remove.items():
            found.append(still_has(self._json(name), column("c", name), paths))
        return SQL("({})").format(listed(found, " OR "))

    def assignments(self) -> Composable:
        """What stands after SET."""
        found = [
            SQL("{} = {}").format(identifier(name), self._value(self._info.column(name), value))
            for name, value in self._erase.set.items()
        ]
        for name, paths in self._erase.remove.items():
            value = taken_out(self._json(name), column("c", name), paths)
            found.append(SQL("{} = {}").format(identifier(name), value))
        return listed(found)

    def constants(self) -> dict[str, Composable]:
        """The blanks that are the same for every row, by column."""
        return {
            name: self._value(self._info.column(name), value)
            for name, value in self._erase.set.items()
            if not (isinstance(value, str) and "{id}" in value)
        }

    def _json(self, name: str) -> Column:
        info = self._info.column(name)
        if info.type_name not in JSON_TYPES:
            raise self._misfit("remove", name, "is no json or jsonb column: use set")
        return info

    def _value(self, info: Column, value: Any) -> Composable:
        cast = type_of(info)
        if value is None:
            return SQL("NULL::{}").format(cast)
        if info.type_name in JSON_TYPES:
            return SQL("{}::{}").format(literal(json.dumps(value)), cast)
        if isinstance(value, dict):
            raise self._misfit("set", info.name, "is no json column: write a plain value")
        if isinstance(value, list):
            return SQL("{}::text[]::{}").format(literal(self._items(info, value)), cast)
        text = _text(value)
        if "{id}" in text:
            return SQL("replace({}, '{{id}}', {})::{}").format(literal(text), self._row(), cast)
        return SQL("{}::{}").format(literal(text), cast)

    def _items(self, info: Column, value: list[Any]) -> list[str | None]:
        if any(isinstance(item, list | dict) for item in value):
            text = "is no json column: write a list of plain values"
            raise self._misfit("set", info.name, text)
        return [None if item is None else _text(item) for item in value]

    def _row(self) -> Composable:
        parts = [SQL("{}::text").format(column("c", name)) for name in self._key]
        return SQL("concat_ws('-', {})").format(listed(parts))

    def _misfit(self, form: str, name: str, text: str) -> DriftError:
        return DriftError(
            f"config/datamap.yaml: {self._where}.erase.{form}: {self._info.name}.{name} {text}"
        )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _differs(info: Column, current: Composable, blank: Composable, value: Any) -> Composable:
    if value is None:
        return SQL("{} IS NOT NULL").format(current)
    # Operators of an extension are found by search_path alone, which is not ours to set; and a
    # type may have none.
    own = info.type_schema != "pg_catalog" or info.type_name.lstrip("_") in _TEXTUAL
    form = "{}::text IS DISTINCT FROM ({})::text" if own else "{} IS DISTINCT FROM {}"
    return SQL(form).format(current, blank)
