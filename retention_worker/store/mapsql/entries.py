"""The statements of one entry: erase its rows or blank its columns, count them, find them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.sql import SQL, Composable, Composed, Identifier

from retention_worker.domain.datamap import Credential, DataMap, SetAndRemove
from retention_worker.domain.errors import DriftError
from retention_worker.store.catalog import Catalog, Column
from retention_worker.store.mapsql.fragments import (
    all_of,
    column,
    constant,
    listed,
    same_key,
    table,
    type_of,
)
from retention_worker.store.mapsql.paths import Path, account_keys, key_parameters, path_to

__all__ = ["EntrySql", "entry_sql"]

_JSON_TYPES = {"json", "jsonb"}
# Types without an equality operator are compared as text.
_NO_EQUALITY = {"xml", "point", "polygon", "path", "box", "lseg", "line", "circle"}


@dataclass(frozen=True, kw_only=True)
class EntrySql:
    """Compiled statements of an entry.

    `erase`, `erase_part` and `count` return one row: `erased` rows, `queued` objects.
    `erase_part` also takes `part_after` and `part_upto` (text arrays): the keys of the rows
    directly under the account.
    `exists` is an expression over `k`; `top_name` is what hangs directly under the account on the
    way (transaction or a link), None for the account itself.
    """

    entry: Credential
    path: Path
    top_name: str | None
    exists: Composable
    erase: Composed
    erase_part: Composed | None
    count: Composed


def entry_sql(datamap: DataMap, catalog: Catalog, entry: Credential, schema_name: str) -> EntrySql:
    """Compile an entry for a catalog.

    Raises:
        DriftError: the entry does not fit.
    """
    path = path_to(datamap, catalog, entry)
    builder = _Builder(datamap, catalog, entry, path, schema_name)
    changed = builder.differs()
    return EntrySql(
        entry=entry,
        path=path,
        top_name=next(reversed(list(datamap.ancestors(entry.of))), None),
        exists=path.exists(*changed),
        erase=builder.erase(changed),
        erase_part=builder.erase([*changed, builder.part()]) if path.top else None,
        count=builder.count(changed),
    )


class _Builder:
    def __init__(
        self, datamap: DataMap, catalog: Catalog, entry: Credential, path: Path, schema_name: str
    ) -> None:
        self.entry = entry
        self.path = path
        self.catalog = catalog
        self.info = catalog.table(entry.table)
        self.schema = Identifier(schema_name)
        accounts = datamap.accounts
        self.keys = account_keys(catalog.table(accounts.table), accounts.id)

    def differs(self) -> list[Composable]:
        """Which rows an erasure would still change; nothing more to say where rows go."""
        if isinstance(self.entry.erase, SetAndRemove):
            return [SQL("({})").format(listed(self._differences(self.entry.erase), " OR "))]
        for name in (source.column for source in self.entry.objects):
            self.info.column(name)
        return []

    def _differences(self, erase: SetAndRemove) -> list[Composable]:
        found: list[Composable] = []
        for name, value in erase.set.items():
            info = self.info.column(name)
            found.append(_differs(column("c", name), self._blank(info, value), info, value))
        for name, paths in erase.remove.items():
            self._need_json(name)
            found += [
                SQL("{}::jsonb #> {} IS NOT NULL").format(column("c", name), _json_path(path))
                for path in paths
            ]
        return found

    def _assignments(self, erase: SetAndRemove) -> list[Composable]:
        found: list[Composable] = [
            SQL("{} = {}").format(Identifier(name), self._blank(self.info.column(name), value))
            for name, value in erase.set.items()
        ]
        for name, paths in erase.remove.items():
            value: Composable = SQL("{}::jsonb").format(column("c", name))
            for path in paths:
                value = SQL("{} #- {}").format(value, _json_path(path))
            found.append(
                SQL("{} = ({})::{}").format(
                    Identifier(name), value, type_of(self.info.column(name))
                )
            )
        return found

    def _need_json(self, name: str) -> None:
        if self.info.column(name).type_name not in _JSON_TYPES:
            raise DriftError(
                f"config/datamap.yaml: credentials[{self.entry.name}].erase.remove: "
                f"{self.info.name}.{name} is no json or jsonb column: use set"
            )

    def _blank(self, info: Column, value: Any) -> Composable:
        cast = type_of(info)
        if value is None:
            return SQL("NULL::{}").format(cast)
        if info.type_name in _JSON_TYPES:
            return SQL("{}::{}").format(constant(json.dumps(value)), cast)
        if isinstance(value, list):
            return SQL("{}::text[]::{}").format(constant([str(item) for item in value]), cast)
        if isinstance(value, dict):
            raise DriftError(
                f"config/datamap.yaml: credentials[{self.entry.name}].erase.set: "
                f"{self.info.name}.{info.name} is no json column: write a plain value"
            )
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if "{id}" in text:
            return SQL("replace({}, '{{id}}', {})::{}").format(constant(text), self._row_id(), cast)
        return SQL("{}::{}").format(constant(text), cast)

    def _row_id(self) -> Composable:
        key = self.info.primary_key or self.entry.key
        parts = [SQL("{}::text").format(column("c", name)) for name in key]
        return SQL("concat_ws('-', {})").format(listed(parts))

    def part(self) -> Composable:
        """The rows under one stretch of the keys directly under the account."""
        top = self.path.top
        assert top is not None
        key = [column(top.alias, name) for name in top.id]
        return SQL(
            "(%(part_after)s::text[] IS NULL OR ({key}) > ({after})) AND ({key}) <= ({upto})"
        ).format(
            key=listed(key),
            after=listed(key_parameters(self.catalog.table(top.name), top.id, "part_after")),
            upto=listed(key_parameters(self.catalog.table(top.name), top.id, "part_upto")),
        )

    def count(self, changed: Sequence[Composable]) -> Composed:
        """Rows and objects that `erase` would erase and queue."""
        sources = [*self.path.others(), SQL("{} AS c").format(table(self.entry.table)), self.keys]
        objects: list[Composable] = [
            SQL("count(*) FILTER (WHERE {})").format(self._names_object(source.column))
            for source in self.entry.objects
        ]
        return SQL("SELECT count(*) AS erased, {} AS queued FROM {} WHERE {}").format(
            listed([SQL("0"), *objects], " + "),
            listed(sources),
            all_of([*self.path.conditions, *changed]),
        )

    def erase(self, changed: Sequence[Composable]) -> Composed:
        """Erase and queue in one statement, so that no object's name is lost between the two."""
        if isinstance(self.entry.erase, SetAndRemove):
            gone = self._blanked(self.entry.erase, changed)
        else:
            gone = self._deleted(changed)
        return SQL(
            "WITH {gone}, queued AS ({queue}) "
            "SELECT (SELECT count(*) FROM gone) AS erased, (SELECT count(*) FROM queued) AS queued"
        ).format(gone=gone, queue=self._queue())

    def _deleted(self, changed: Sequence[Composable]) -> Composed:
        return SQL(
            "gone AS (DELETE FROM {target} AS c USING {using} WHERE {where} RETURNING {names})"
        ).format(
            target=table(self.entry.table),
            using=listed([*self.path.others(), self.keys]),
            where=all_of([*self.path.conditions, *changed]),
            names=self._names(),
        )

    def _blanked(self, erase: SetAndRemove, changed: Sequence[Composable]) -> Composed:
        sources = [*self.path.others(), self.keys]
        where = all_of([*self.path.conditions, *changed])
        if not self.entry.objects:
            return SQL(
                "gone AS (UPDATE {target} AS c SET {sets} FROM {sources} WHERE {where} "
                "RETURNING k.id)"
            ).format(
                target=table(self.entry.table),
                sets=listed(self._assignments(erase)),
                sources=listed(sources),
                where=where,
            )
        return self._blanked_with_objects(erase, sources, where)

    def _blanked_with_objects(
        self, erase: SetAndRemove, sources: list[Composable], where: Composable
    ) -> Composed:
        """RETURNING would return the blank, so the names are read, under a lock, before."""
        key = self.info.primary_key
        if key is None:
            raise DriftError(
                f"config/datamap.yaml: credentials[{self.entry.name}]: {self.info.name} has "
                "objects and blanked columns but no primary key: add one"
            )
        aliases = [f"p{index}" for index in range(len(key))]
        picked = [
            SQL("{} AS {}").format(column("c", name), Identifier(alias))
            for name, alias in zip(key, aliases, strict=True)
        ]
        return SQL(
            "old AS MATERIALIZED (SELECT {picked}, {names} FROM {sources} WHERE {where} "
            "FOR UPDATE OF c), "
            "gone AS (UPDATE {target} AS c SET {sets} FROM old WHERE {same} RETURNING old.*)"
        ).format(
            picked=listed(picked),
            names=self._names(),
            sources=listed([SQL("{} AS c").format(table(self.entry.table)), *sources]),
            where=where,
            target=table(self.entry.table),
            sets=listed(self._assignments(erase)),
            same=all_of(same_key("c", key, "old", aliases)),
        )

    def _names(self) -> Composable:
        """The account, and the objects' names."""
        names: list[Composable] = [SQL("k.id AS account_id")]
        for index, source in enumerate(self.entry.objects):
            alias = Identifier(f"o{index}")
            names.append(SQL("{} AS {}").format(self._uri(source.column, source.uri), alias))
        return listed(names)

    def _names_object(self, name: str) -> Composable:
        return SQL("COALESCE({}::text, '') <> ''").format(column("c", name))

    def _uri(self, name: str, template: str | None) -> Composable:
        value = SQL("NULLIF({}::text, '')").format(column("c", name))
        if template is None:
            return value
        # {value} last: a value that itself reads {tenant} must stay as it is.
        return SQL(
            "replace(replace(replace({}, '{{tenant}}', %(tenant)s::text), '{{id}}', k.id), "
            "'{{value}}', {})"
        ).format(constant(template), value)

    def _queue(self) -> Composable:
        if not self.entry.objects:
            return SQL("SELECT 1 WHERE FALSE")
        rows = [
            SQL("(gone.{}, {})").format(Identifier(f"o{index}"), constant(source.shared))
            for index, source in enumerate(self.entry.objects)
        ]
        return SQL(
            "INSERT INTO {}.object_deletion "
            "(tenant_id, account_id, batch_id, entry, uri, shared, queued_at) "
            "SELECT %(tenant)s, gone.account_id, %(batch)s, {}, o.uri, o.shared, %(now)s "
            "FROM gone CROSS JOIN LATERAL (VALUES {}) AS o (uri, shared) "
            "WHERE o.uri IS NOT NULL RETURNING 1"
        ).format(self.schema, constant(self.entry.name), listed(rows))


def _json_path(path: Sequence[str | int]) -> Composable:
    return SQL("{}::text[]").format(constant([str(item) for item in path]))


def _differs(current: Composable, blank: Composable, info: Column, value: Any) -> Composable:
    if value is None:
        return SQL("{} IS NOT NULL").format(current)
    if info.type_name in _JSON_TYPES:
        return SQL("{}::jsonb IS DISTINCT FROM {}::jsonb").format(current, blank)
    if info.type_name in _NO_EQUALITY:
        return SQL("{}::text IS DISTINCT FROM ({})::text").format(current, blank)
    return SQL("{} IS DISTINCT FROM {}").format(current, blank)
