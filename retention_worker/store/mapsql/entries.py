"""The statements of one entry: erase its rows or blank its columns, count them, find them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import LiteralString

from psycopg.sql import SQL, Composable, Composed

from retention_worker.domain.datamap.credential import Credential, SetAndRemove
from retention_worker.domain.datamap.datamap import TRANSACTION, DataMap
from retention_worker.domain.errors import DriftError
from retention_worker.store.catalog import Catalog
from retention_worker.store.mapsql.blanks import Blanks
from retention_worker.store.mapsql.fragments import compared, has_values, key_of
from retention_worker.store.mapsql.paths import (
    Hop,
    Path,
    account_keys,
    as_link,
    key_parameters,
    path_to,
    top_name,
)
from retention_worker.store.mapsql.timecolumn import time_sql
from retention_worker.store.mapsql.uris import uri_of
from retention_worker.store.quoting import all_of, column, identifier, listed, literal, table

# Types whose text is no name of one object.
_NO_NAMES = {"json", "jsonb", "xml", "bytea", "hstore"}


@dataclass(frozen=True, kw_only=True)
class EntrySql:
    """Compiled statements of an entry.

    `count` returns one row: `erased` rows, `queued` objects. Several rows may name one object,
    which counts once. `uris` are those of `count`; None where it has no objects.
    `changed` are the conditions on rows that an erasure would still change; `exists` is an
    expression over `k`; `top_name` is what hangs directly under the account on the
    way (transaction or a link), None for the account itself. `of_transaction` is `count` for one
    transaction, named by `transaction`; there where `top_name` is that.
    """

    entry: Credential
    path: Path
    top_name: str | None
    changed: tuple[Composable, ...]
    exists: Composable
    count: Composed
    uris: Composed | None
    of_transaction: Composed | None


@dataclass(frozen=True, kw_only=True)
class StepSql:
    """What erases an entry, or several that refer to each other, in one statement.

    `returns_row`: each returns `erased0`, `erased1`, ... rows of its `entries`, `queued` objects,
    and how many rows were `newer` than `cutoff` (NULL: none is); elsewhere they touch the rows
    that they erase and return nothing. `erase` leaves out the objects that an earlier statement of
    the batch has queued.
    `erase_part` also takes `part_after` and `part_upto` (text arrays): the keys of the rows called
    `top_name`; None: it is for the end of the walk. It leaves out the objects that the
    account's earlier parts have queued. `erase_rest` takes at that end what has no such key, and
    what came meanwhile; None where nothing can. `of_transaction` erases that of one transaction,
    named by `transaction`.
    """

    entries: tuple[EntrySql, ...]
    top_name: str | None
    erase: Composed
    erase_part: Composed
    erase_rest: Composed | None
    of_transaction: Composed | None

    @property
    def returns_row(self) -> bool:
        """Whether the counts are in a row."""
        return len(self.entries) > 1 or _says_more(self.entries[0].entry)


def step_sql(
    datamap: DataMap,
    catalog: Catalog,
    step: Sequence[Credential],
    schema_name: str,
    before: Sequence[EntrySql] = (),
) -> StepSql:
    """Compile a step for a catalog; `before` are the entries that are erased first.

    Raises:
        DriftError: an entry does not fit.
    """
    top = next((name for entry in step if (name := top_name(datamap, entry))), None)
    builders = [
        _EntryBuilder(datamap, catalog, entry, schema_name, step=step, top=top) for entry in step
    ]
    entries: list[EntrySql] = []
    for builder in builders:
        entries.append(builder.build([*before, *entries]))
    whole = [builder.differs() for builder in builders]
    return StepSql(
        entries=tuple(entries),
        top_name=top,
        erase=_erase(builders, whole),
        erase_part=_erase(builders, [each.of_part() for each in builders], in_parts=True),
        erase_rest=(
            _erase(builders, whole, in_parts=True)
            if top is not None and any(each.top_name is None for each in entries)
            else None
        ),
        of_transaction=(
            _erase(builders, [each.of_transaction() for each in builders])
            if top == TRANSACTION
            else None
        ),
    )


def _erase(
    builders: Sequence[_EntryBuilder],
    conditions: Sequence[Sequence[Composable]],
    *,
    in_parts: bool = False,
) -> Composed:
    """Erase and queue in one statement, so that no object's name is lost between the two.

    Each part of it sees what was there before; foreign keys are asked when all of it is done.
    """
    first = builders[0]
    if len(builders) == 1 and not _says_more(first.entry):
        return first.erase(conditions[0])
    parts: list[Composable] = []
    counts: list[Composable] = []
    queued: list[Composable] = []
    newer: list[Composable] = [SQL("0")]
    for index, (builder, those) in enumerate(zip(builders, conditions, strict=True)):
        gone = SQL(f"gone{index}")
        parts.append(builder.gone(those, gone, SQL(f"old{index}")))
        counts.append(SQL("(SELECT count(*) FROM {}) AS {}").format(gone, SQL(f"erased{index}")))
        if builder.entry.created_at is not None:
            newer.append(SQL("(SELECT count(*) FROM {} WHERE newer)").format(gone))
        if builder.entry.objects:
            parts.append(SQL("{} AS ({})").format(SQL(f"queued{index}"), builder.queue(gone)))
            queued.append(SQL("SELECT uri FROM {}").format(SQL(f"queued{index}")))
    objects: Composable = SQL("0")
    if queued:
        objects = SQL("(SELECT count(DISTINCT uri) FROM ({}) AS o{})").format(
            listed(queued, " UNION ALL "), first.new(in_parts)
        )
    return SQL("WITH {} SELECT {}, {} AS queued, {} AS newer").format(
        listed(parts), listed(counts), objects, listed(newer, " + ")
    )


def _says_more(entry: Credential) -> bool:
    """Whether an erasure of the entry is asked for more than how many rows there were."""
    return bool(entry.objects) or entry.created_at is not None


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
    """Statements of an entry of a `step`, of which a large account is walked by its `top`s."""

    def __init__(
        self,
        datamap: DataMap,
        catalog: Catalog,
        entry: Credential,
        schema_name: str,
        *,
        step: Sequence[Credential],
        top: str | None,
    ) -> None:
        self.entry = entry
        self.path = path_to(datamap, catalog, entry)
        self.top_name = top_name(datamap, entry)
        self.catalog = catalog
        self.info = catalog.table(entry.table)
        self.schema = identifier(schema_name)
        accounts = datamap.accounts
        self.keys = account_keys(catalog.table(accounts.table), accounts.id)
        self.blanks = self._blanks()
        self.others_queue = any(each.objects for each in datamap.credentials if each not in step)
        self.alone = len(step) == 1
        self.walked = self.path
        if top is not None and self.top_name is None:
            # Its rows are those that are walked, though it does not come by them.
            link = as_link(datamap, top)
            self.walked = replace(self.path, top=Hop(alias="c", name=link.table, id=link.id))

    def build(self, before: Sequence[EntrySql]) -> EntrySql:
        """What tells of the entry; `before` are those that are erased first."""
        changed = self.differs()
        to_count = [*changed, *self._not_gone(before)]
        return EntrySql(
            entry=self.entry,
            path=self.path,
            top_name=self.top_name,
            changed=tuple(changed),
            exists=self.path.exists(*changed),
            count=self._count(to_count),
            uris=self._all_uris(to_count) if self.entry.objects else None,
            of_transaction=(
                self._count(self.of_transaction()) if self.top_name == TRANSACTION else None
            ),
        )

    def of_transaction(self) -> list[Composable]:
        """Which rows go with one transaction."""
        return [*self.differs(), *self._within(of_this_transaction(self.catalog, self.walked))]

    def of_part(self) -> list[Composable]:
        """Which rows go with one part of a large account."""
        if self.walked.top is None:
            return self.differs()
        return [*self.differs(), *self._within(of_this_part(self.catalog, self.walked))]

    def _within(self, stretch: Composable) -> list[Composable]:
        """Rows under a stretch; those to which other rows refer, too, go with the last of them."""
        if self.alone or self.walked.top is None or self.walked.top.alias == "c":
            return [stretch]
        elsewhere = SQL("EXISTS (SELECT 1 FROM {} WHERE {} AND ({}) IS NOT TRUE)").format(
            listed(self.path.others()), all_of(self.path.conditions), stretch
        )
        return [stretch, SQL("NOT {}").format(elsewhere)]

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

    def _not_gone(self, before: Sequence[EntrySql]) -> list[Composable]:
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

    def _count(self, changed: Sequence[Composable]) -> Composed:
        """Rows and objects that `erase` would erase and queue."""
        if not self.entry.objects:
            return SQL("SELECT {} AS erased, 0 AS queued FROM {}").format(
                self.path.counted(), self._rows(changed)
            )
        return SQL(
            "SELECT {} FILTER (WHERE o.is_row) AS erased, count(DISTINCT o.uri) AS queued FROM {}"
        ).format(
            self.path.counted(),
            self._rows(changed, [SQL("(TRUE, NULL)"), *self._uris("(FALSE, {})")]),
        )

    def _all_uris(self, changed: Sequence[Composable]) -> Composed:
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

    def erase(self, changed: Sequence[Composable]) -> Composed:
        """Erase, and return nothing."""
        target = table(self.entry.table)
        sources = listed([*self.path.others(), self.keys])
        where = all_of([*self.path.conditions, *changed])
        if self.blanks is None:
            return SQL("DELETE FROM {} AS c USING {} WHERE {}").format(target, sources, where)
        return SQL("UPDATE {} AS c SET {} FROM {} WHERE {}").format(
            target, self.blanks.assignments(), sources, where
        )

    def gone(self, changed: Sequence[Composable], name: Composable, old: Composable) -> Composed:
        """The erasing statement as a part, called `name`, of a larger one, with a row for each."""
        if self.blanks is not None and self.entry.objects:
            return self._blanked_with_objects(self.blanks, changed, name, old)
        returned = self._names() if _says_more(self.entry) else SQL("1")
        return SQL("{} AS ({} RETURNING {})").format(name, self.erase(changed), returned)

    def new(self, in_parts: bool) -> Composable:
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

    def _blanked_with_objects(
        self, blanks: Blanks, changed: Sequence[Composable], name: Composable, old: Composable
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
            SQL("{} AS {}").format(column("c", each), identifier(alias))
            for each, alias in zip(key, aliases, strict=True)
        ]
        return SQL(
            "{old} AS MATERIALIZED (SELECT {picked}, {names} FROM {sources} WHERE {where} "
            "FOR UPDATE OF c), "
            "{name} AS (UPDATE {target} AS c SET {sets} FROM {old} AS old WHERE {same} "
            "RETURNING old.*)"
        ).format(
            old=old,
            name=name,
            picked=listed(picked),
            names=self._names(),
            sources=listed(
                [SQL("{} AS c").format(table(self.entry.table)), *self.path.others(), self.keys]
            ),
            where=all_of([*self.path.conditions, *changed]),
            target=table(self.entry.table),
            sets=blanks.assignments(),
            same=all_of(
                has_values(key_of("c", self.info, key), [column("old", each) for each in aliases])
            ),
        )

    def _names(self) -> Composable:
        """The account, the objects' names, and whether the row is newer than the cutoff."""
        names: list[Composable] = [SQL("k.id AS account_id")]
        if self.entry.created_at is not None:
            key = f"credentials[{self.entry.name}].created_at"
            at = time_sql(self.info, (self.entry.created_at,), key)
            names.append(SQL("{} > %(cutoff)s::timestamptz AS newer").format(at.instant("c")))
        for index, source in enumerate(self.entry.objects):
            alias = identifier(f"o{index}")
            names.append(SQL("{} AS {}").format(uri_of(source), alias))
        return listed(names)

    def queue(self, gone: Composable) -> Composable:
        """Note the objects of rows that are gone."""
        rows = [
            SQL("(gone.{}, {})").format(identifier(f"o{index}"), literal(source.shared))
            for index, source in enumerate(self.entry.objects)
        ]
        return SQL(
            "INSERT INTO {}.object_deletion "
            "(tenant_id, account_id, batch_id, entry, uri, shared, queued_at, retry_at) "
            "SELECT %(tenant)s, gone.account_id, %(batch)s, {}, o.uri, o.shared, %(now)s, "
            "CASE WHEN o.shared THEN %(shared_from)s ELSE %(now)s END "
            "FROM {} AS gone CROSS JOIN LATERAL (VALUES {}) AS o (uri, shared) "
            "WHERE o.uri IS NOT NULL RETURNING uri"
        ).format(self.schema, literal(self.entry.name), gone, listed(rows))
