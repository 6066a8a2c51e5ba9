"""The statements of one entry: erase its rows or blank its columns, count them, find them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg.sql import SQL, Composable, Composed

from retention_worker.domain.datamap.credential import Credential, SetAndRemove
from retention_worker.domain.datamap.datamap import TRANSACTION, DataMap
from retention_worker.domain.errors import DriftError
from retention_worker.store.catalog import Catalog
from retention_worker.store.mapsql.blanks import Blanks
from retention_worker.store.mapsql.fragments import compared, has_values, key_of
from retention_worker.store.mapsql.paths import Path, account_keys, key_parameters, path_to
from retention_worker.store.mapsql.uris import uri_of
from retention_worker.store.quoting import all_of, column, identifier, listed, literal, table

# Types whose text is no name of one object.
_NO_NAMES = {"json", "jsonb", "xml", "bytea", "hstore"}


@dataclass(frozen=True, kw_only=True)
class OfTransaction:
    """An entry's statements for one transaction of a locked account, named by `transaction`."""

    erase: Composed
    count: Composed


@dataclass(frozen=True, kw_only=True)
class EntrySql:
    """Compiled statements of an entry.

    `count` returns one row: `erased` rows, `queued` objects; so do `erase` and `erase_part` where
    the entry has objects, and elsewhere they touch the rows that they erase and return nothing.
    Several rows may name one object, which counts once; `erase` leaves out those that an earlier
    statement of the batch has queued. `uris` are those of `count`; None where it has no objects.
    `erase_part` also takes `part_after` and `part_upto` (text arrays): the keys of the rows
    directly under the account; without such rows it is for the end of the walk. It leaves out the
    objects that the account's earlier parts have queued.
    `changed` are the conditions on rows that an erasure would still change; `exists` is an
    expression over `k`; `top_name` is what hangs directly under the account on the
    way (transaction or a link), None for the account itself. `of_transaction` is there where that
    is a transaction.
    """

    entry: Credential
    path: Path
    top_name: str | None
    changed: tuple[Composable, ...]
    exists: Composable
    erase: Composed
    erase_part: Composed
    count: Composed
    uris: Composed | None
    of_transaction: OfTransaction | None


def entry_sql(
    datamap: DataMap,
    catalog: Catalog,
    entry: Credential,
    schema_name: str,
    before: Sequence[EntrySql] = (),
) -> EntrySql:
    """Compile an entry for a catalog; `before` are those that are erased first.

    Raises:
        DriftError: the entry does not fit.
    """
    path = path_to(datamap, catalog, entry)
    top_name = next(reversed(list(datamap.ancestors(entry.of))), None)
    builder = _EntryBuilder(datamap, catalog, entry, path, schema_name)
    changed = builder.differs()
    to_count = [*changed, *builder.not_gone(before)]
    return EntrySql(
        entry=entry,
        path=path,
        top_name=top_name,
        changed=tuple(changed),
        exists=path.exists(*changed),
        erase=builder.erase(changed),
        erase_part=builder.erase(
            [*changed, of_this_part(catalog, path)] if path.top else changed, in_parts=True
        ),
        count=builder.count(to_count),
        uris=builder.uris(to_count) if entry.objects else None,
        of_transaction=builder.of_transaction(changed) if top_name == TRANSACTION else None,
    )


def of_this_transaction(catalog: Catalog, path: Path) -> Composable:
    """Whether the row directly under the account is the one that `transaction` names."""
    top = path.top
    assert top is not None
    info = catalog.table(top.name)
    wanted = key_parameters(info, top.id, "transaction")
    return all_of(has_values(key_of(top.alias, info, top.id), wanted))


def of_this_part(catalog: Catalog, path: Path) -> Composable:
    """The rows under one stretch of the keys directly under the account."""
    top = path.top
    assert top is not None
    info = catalog.table(top.name)
    key = key_of(top.alias, info, top.id)
    schemas = [each.operators for each in key.columns]
    after, upto = (key_parameters(info, top.id, f"part_{end}") for end in ("after", "upto"))
    return SQL("(%(part_after)s::text[] IS NULL OR {}) AND {}").format(
        compared(key.values, ">", after, schemas), compared(key.values, "<=", upto, schemas)
    )


class _EntryBuilder:
    def __init__(
        self, datamap: DataMap, catalog: Catalog, entry: Credential, path: Path, schema_name: str
    ) -> None:
        self.entry = entry
        self.path = path
        self.catalog = catalog
        self.info = catalog.table(entry.table)
        self.schema = identifier(schema_name)
        accounts = datamap.accounts
        self.keys = account_keys(catalog.table(accounts.table), accounts.id)
        self.blanks = self._blanks()
        self.others_queue = any(each.objects for each in datamap.credentials if each is not entry)

    def _blanks(self) -> Blanks | None:
        erase = self.entry.erase
        if not isinstance(erase, SetAndRemove):
            return None
        key = self.info.primary_key or self.entry.key
        return Blanks(erase, self.info, key, f"credentials[{self.entry.name}]")

    def differs(self) -> list[Composable]:
        """Which rows an erasure would still change; nothing more to say where rows go."""
        for source in self.entry.objects:
            self._need_name(source.column)
        return [self.blanks.differs()] if self.blanks else []

    def _need_name(self, name: str) -> None:
        """A list of names in one value would be queued as one object that does not exist."""
        kind = self.info.column(name).type_name
        if kind.startswith("_") or kind in _NO_NAMES:
            raise DriftError(
                f"config/datamap.yaml: credentials[{self.entry.name}].objects: "
                f"{self.info.name}.{name} has type {kind}: name a column with one object's name"
            )

    def not_gone(self, before: Sequence[EntrySql]) -> list[Composable]:
        """Rows that an earlier entry of the same class takes are counted there, and once."""
        return [
            SQL("NOT EXISTS (SELECT 1 {} WHERE {})").format(
                SQL("FROM {}").format(listed(each.path.others()))
                if each.path.others()
                else SQL(""),
                all_of(each.path.conditions),
            )
            for each in before
            if each.entry.table == self.entry.table
            and each.entry.class_ is self.entry.class_
            and not isinstance(each.entry.erase, SetAndRemove)
        ]

    def of_transaction(self, changed: Sequence[Composable]) -> OfTransaction:
        """The same rows, of one transaction alone."""
        mine = of_this_transaction(self.catalog, self.path)
        return OfTransaction(
            erase=self.erase([*changed, mine]),
            count=self.count([*changed, mine]),
        )

    def count(self, changed: Sequence[Composable]) -> Composed:
        """Rows and objects that `erase` would erase and queue."""
        if not self.entry.objects:
            return SQL("SELECT count(*) AS erased, 0 AS queued FROM {}").format(self._rows(changed))
        return SQL(
            "SELECT count(*) FILTER (WHERE o.is_row) AS erased, count(DISTINCT o.uri) AS queued "
            "FROM {}"
        ).format(self._rows(changed, [SQL("(TRUE, NULL)"), *self._uris("(FALSE, {})")]))

    def uris(self, changed: Sequence[Composable]) -> Composed:
        """The objects that `erase` would queue, in a column `uri`."""
        return SQL("SELECT o.uri FROM {}").format(self._rows(changed, self._uris("(FALSE, {})")))

    def _uris(self, form: LiteralString) -> list[Composable]:
        return [SQL(form).format(uri_of(source)) for source in self.entry.objects]

    def _rows(self, changed: Sequence[Composable], beside: Sequence[Composable] = ()) -> Composed:
        """FROM and WHERE of the rows to erase, each with `o` (`is_row`, `uri`) beside it."""
        sources = [*self.path.others(), SQL("{} AS c").format(table(self.entry.table)), self.keys]
        lateral: Composable = SQL("")
        if beside:
            lateral = SQL(" CROSS JOIN LATERAL (VALUES {}) AS o (is_row, uri)").format(
                listed(beside)
            )
        return SQL("{}{} WHERE {}").format(
            listed(sources, " CROSS JOIN "),
            lateral,
            all_of([*self.path.conditions, *changed]),
        )

    def erase(self, changed: Sequence[Composable], *, in_parts: bool = False) -> Composed:
        """Erase and queue in one statement, so that no object's name is lost between the two."""
        gone = self._blanked(self.blanks, changed) if self.blanks else self._deleted(changed)
        if not self.entry.objects:
            return gone
        return SQL(
            "WITH {gone}, queued AS ({queue}) "
            "SELECT (SELECT count(*) FROM gone) AS erased, (SELECT count(*) FROM "
            "(SELECT DISTINCT uri FROM queued{new}) AS o) AS queued"
        ).format(gone=gone, queue=self._queue(), new=self._new(in_parts))

    def _new(self, in_parts: bool) -> Composable:
        """What no earlier statement of the batch, or part of the account, has queued."""
        if in_parts:
            before = SQL("tenant_id = %(tenant)s AND account_id = ANY (%(ids)s::text[])")
        elif self.others_queue:
            before = SQL("batch_id = %(batch)s")
        else:
            return SQL("")
        return SQL(" WHERE uri NOT IN (SELECT uri FROM {}.object_deletion WHERE {})").format(
            self.schema, before
        )

    def _deleted(self, changed: Sequence[Composable]) -> Composed:
        gone = SQL("DELETE FROM {target} AS c USING {using} WHERE {where}").format(
            target=table(self.entry.table),
            using=listed([*self.path.others(), self.keys]),
            where=all_of([*self.path.conditions, *changed]),
        )
        if not self.entry.objects:
            return gone
        return SQL("gone AS ({} RETURNING {})").format(gone, self._names())

    def _blanked(self, blanks: Blanks, changed: Sequence[Composable]) -> Composed:
        sources = [*self.path.others(), self.keys]
        where = all_of([*self.path.conditions, *changed])
        if not self.entry.objects:
            return SQL("UPDATE {target} AS c SET {sets} FROM {sources} WHERE {where}").format(
                target=table(self.entry.table),
                sets=blanks.assignments(),
                sources=listed(sources),
                where=where,
            )
        return self._blanked_with_objects(blanks, sources, where)

    def _blanked_with_objects(
        self, blanks: Blanks, sources: list[Composable], where: Composable
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
            SQL("{} AS {}").format(column("c", name), identifier(alias))
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
            sets=blanks.assignments(),
            same=all_of(
                has_values(key_of("c", self.info, key), [column("old", each) for each in aliases])
            ),
        )

    def _names(self) -> Composable:
        """The account, and the objects' names."""
        names: list[Composable] = [SQL("k.id AS account_id")]
        for index, source in enumerate(self.entry.objects):
            alias = identifier(f"o{index}")
            names.append(SQL("{} AS {}").format(uri_of(source), alias))
        return listed(names)

    def _queue(self) -> Composable:
        rows = [
            SQL("(gone.{}, {})").format(identifier(f"o{index}"), literal(source.shared))
            for index, source in enumerate(self.entry.objects)
        ]
        return SQL(
            "INSERT INTO {}.object_deletion "
            "(tenant_id, account_id, batch_id, entry, uri, shared, queued_at, retry_at) "
            "SELECT %(tenant)s, gone.account_id, %(batch)s, {}, o.uri, o.shared, %(now)s, "
            "CASE WHEN o.shared THEN %(shared_from)s ELSE %(now)s END "
            "FROM gone CROSS JOIN LATERAL (VALUES {}) AS o (uri, shared) "
            "WHERE o.uri IS NOT NULL RETURNING uri"
        ).format(self.schema, literal(self.entry.name), listed(rows))
