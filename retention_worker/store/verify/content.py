"""Which rows of a table belong to an entry, and whether a row still holds what an erasure takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, LiteralString

from psycopg.sql import SQL, Composable

from retention_worker.domain.datamap.columns import Where
from retention_worker.domain.datamap.credential import Credential, SetAndRemove
from retention_worker.domain.errors import DriftError
from retention_worker.store.catalog import Column, Table
from retention_worker.store.quoting import all_of, column, listed, literal, type_of
from retention_worker.store.verify.keys import constants, equality

_JSON = {"json", "jsonb"}
# Types of the server without an equality, or with one that means less (circles of equal area).
_AS_TEXT = {"json", "xml", "point", "polygon", "path", "box", "lseg", "line", "circle"}
# A json column may hold escapes that PostgreSQL cannot turn into characters: a NUL, or one half of
# a pair. Pairs and escaped backslashes are none, and are taken out of the text first.
_HARMLESS = r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_UNREADABLE = r"\\u(0000|[dD][89a-fA-F])"


def belongs(info: Table, where: Where | None, alias: LiteralString) -> Composable:
    """Whether a row is one of those that a `where` names."""
    wanted = (where or {}).items()
    return all_of([_one_of(info, name, alias, values) for name, values in wanted])


def _one_of(info: Table, name: str, alias: LiteralString, values: tuple[Any, ...]) -> Composable:
    found = info.column(name)
    named = constants(value for value in values if value is not None)
    options: list[Composable] = [
        equality(
            column(alias, name),
            SQL("{}::{}").format(literal(text), type_of(found)),
            found.operators,
        )
        for text in named
    ]
    if None in values:
        options.append(SQL("{} IS NULL").format(column(alias, name)))
    return SQL("({})").format(listed(options, " OR "))


def holds(info: Table, entry: Credential, alias: LiteralString) -> Composable:
    """Whether a row holds anything that an erasure by this entry would take."""
    erase = entry.erase
    if not isinstance(erase, SetAndRemove):
        return SQL("TRUE")
    row_id = _row_id(info, entry, alias)
    parts = [_differs(info.column(name), alias, value, row_id) for name, value in erase.set.items()]
    parts += [_has(info.column(name), alias, paths) for name, paths in erase.remove.items()]
    return SQL("({})").format(listed(parts, " OR "))


def _has(info: Column, alias: LiteralString, paths: Sequence[Sequence[str | int]]) -> Composable:
    """Whether anything is at one of the paths; a place in an array counts as empty when null."""
    mine = column(alias, info.name)
    found = listed(
        (
            SQL(
                "COALESCE(CASE WHEN jsonb_typeof({mine}::jsonb #> {above}) = 'array' "
                "THEN {mine}::jsonb #> {path} <> 'null' "
                "ELSE {mine}::jsonb #> {path} IS NOT NULL END, FALSE)"
            ).format(mine=mine, above=_path(path[:-1]), path=_path(path))
            for path in paths
        ),
        " OR ",
    )
    if info.type_name != "json":
        return SQL("({})").format(found)
    # What cannot be read cannot be shown to be gone.
    return SQL(
        "CASE WHEN regexp_replace({}::text, {}, ' ', 'g') ~ {} THEN TRUE ELSE {} END"
    ).format(mine, literal(_HARMLESS), literal(_UNREADABLE), found)


def _path(steps: Sequence[str | int]) -> Composable:
    return SQL("ARRAY[{}]::text[]").format(listed(literal(str(step)) for step in steps))


def _row_id(info: Table, entry: Credential, alias: LiteralString) -> Composable:
    names = info.primary_key or entry.key
    texts = [SQL("{}::text").format(column(alias, name)) for name in names]
    return SQL("concat_ws('-', {})").format(listed(texts))


def _differs(info: Column, alias: LiteralString, value: Any, row_id: Composable) -> Composable:
    mine = column(alias, info.name)
    if value is None:
        return SQL("{} IS NOT NULL").format(mine)
    text = literal(json.dumps(value)) if info.type_name in _JSON else _blank(info, value, row_id)
    blank = SQL("{}::{}").format(text, type_of(info))
    # The operators of other schemas depend on a search_path that is not ours.
    as_text = info.type_schema != "pg_catalog" or info.type_name.lstrip("_") in _AS_TEXT
    form: LiteralString = "{} IS DISTINCT FROM {}"
    if as_text:
        form = "{}::text IS DISTINCT FROM ({})::text"
    return SQL(form).format(mine, blank)


def _blank(info: Column, value: Any, row_id: Composable) -> Composable:
    if isinstance(value, dict):
        raise DriftError(
            f"config/datamap.yaml: column {info.name} is no json column: write a plain value"
        )
    if isinstance(value, list):
        items = (SQL("NULL") if item is None else literal(*constants([item])) for item in value)
        return SQL("ARRAY[{}]::text[]").format(listed(items))
    (text,) = constants([value])
    if "{id}" not in text:
        return literal(text)
    return SQL("replace({}, {}, {})").format(literal(text), literal("{id}"), row_id)
