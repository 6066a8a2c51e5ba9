"""The statements of `verify` on somebody else's tables: each starts from the credentials.

None of them knows a watermark, a batch or a lane. They share nothing with the statements that
erase, so that a fault in those shows here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg.sql import SQL, Composable, Composed

from retention_worker.domain.datamap.columns import TableName
from retention_worker.domain.datamap.credential import Credential, ObjectSource, SetAndRemove
from retention_worker.domain.datamap.datamap import TRANSACTION, DataMap, Link
from retention_worker.domain.datamap.uritemplate import pieces_of
from retention_worker.domain.scope import CredentialClass, Scope
from retention_worker.store.catalog import Catalog
from retention_worker.store.quoting import (
    all_of,
    column,
    identifier,
    listed,
    literal,
    table,
    type_of,
)
from retention_worker.store.verify.ancestors import Climb, Told, climb, same_tenant
from retention_worker.store.verify.content import belongs
from retention_worker.store.verify.keys import Side, equality, id_text, key_equality
from retention_worker.store.verify.rows import Rows


class Looks:
    """Statements of one data map.

    `tenants` and `values` are parameters of most: the worker's tenant_id, and the same as the
    tenant column's own text.
    """

    def __init__(self, datamap: DataMap, catalog: Catalog, schema_name: str) -> None:
        self._datamap = datamap
        self._catalog = catalog
        self._accounts = datamap.accounts
        self._info = catalog.table(datamap.accounts.table)
        self._own = identifier(schema_name)
        self._rows = Rows(datamap, catalog, schema_name)

    def population(self) -> Composed:
        """Accounts of each tenant: without a last activity, with one before all time, or `ahead`.

        Parameter: ahead, the latest instant that is not in the future.
        """
        tenant = self._accounts.tenant
        value = SQL("{}::text").format(column("a", tenant)) if tenant else SQL("NULL::text")
        return SQL(
            "SELECT value, count(*) AS accounts, count(*) FILTER (WHERE at IS NULL) AS absent, "
            "count(*) FILTER (WHERE at = '-infinity') AS infinite, "
            "count(*) FILTER (WHERE at > %(ahead)s) AS ahead "
            "FROM (SELECT {} AS value, {} AS at FROM {} AS a) AS each_one GROUP BY value"
        ).format(value, self._rows.active, table(self._accounts.table))

    def values(self) -> Composed:
        """What each of `tenants` is in the tenant column."""
        cast: Composable = SQL("tenant_id")
        if self._accounts.tenant is not None:
            kind = type_of(self._info.column(self._accounts.tenant))
            cast = SQL("tenant_id::{}::text").format(kind)
        return SQL(
            "SELECT tenant_id, {} AS value FROM unnest(%(tenants)s::text[]) AS t (tenant_id)"
        ).format(cast)

    @property
    def alone(self) -> bool:
        """Whether an account's id tells it from all others without a tenant."""
        return self._info.stands_alone(self._accounts.id, self._accounts.tenant)

    def some(self, entry: Credential) -> Composed:
        """A few accounts that have rows of an entry: `tenant` and `account`; parameter: limit."""
        above = climb(self._datamap, self._catalog, entry)
        tenant: Composable = SQL("NULL")
        if self._accounts.tenant is not None:
            tenant = column("a", self._accounts.tenant)
        return SQL(
            "SELECT DISTINCT tenant, account FROM ("
            "SELECT {tenant}::text AS tenant, {account} AS account "
            "FROM {entry} AS c {joins} WHERE {mine} LIMIT 100) AS some_of_them LIMIT %(limit)s"
        ).format(
            tenant=tenant,
            account=self._rows.account,
            entry=table(entry.table),
            joins=above.joins(),
            mine=self._rows.mine(entry),
        )

    def holds_astray(self) -> Composed:
        """Active holds that lost their account, or a row of it: `id`, `tenant_id`, `account_id`.

        `places` are the tenants, as the column's texts, that have the rows. Further parameter: now.
        """
        mine = SQL("TRUE") if self._accounts.tenant is None else SQL("p.tenant_id = h.tenant_id")
        its_own = SQL("{} AND {} = h.account_id").format(mine, self._rows.account)
        lost: list[Composable] = [
            SQL("NOT EXISTS (SELECT 1 FROM {} AS a JOIN p ON {} WHERE {})").format(
                table(self._accounts.table), self._rows.of_tenant(), its_own
            )
        ]
        lost += [
            SQL(
                "EXISTS (SELECT 1 FROM {own}.hold_subject s JOIN {rows} AS c ON {same} {joins} "
                "WHERE s.hold_id = h.id AND s.kind = {kind} "
                "AND NOT EXISTS (SELECT 1 FROM p WHERE {tenant} AND {its_own}))"
            ).format(
                own=self._own,
                rows=table(found),
                same=same,
                joins=joins,
                kind=literal(kind),
                tenant=self._rows.of_tenant(),
                its_own=its_own,
            )
            for kind, found, same, joins in self._seen()
        ]
        # Where rows of a table are that the map does not have any more, nobody knows.
        kinds = ["account", *(kind for kind, *_ in self._seen())]
        lost.append(
            SQL(
                "EXISTS (SELECT 1 FROM {}.hold_subject s WHERE s.hold_id = h.id "
                "AND s.kind NOT IN ({}))"
            ).format(self._own, listed(literal(kind) for kind in kinds))
        )
        return SQL(
            "WITH p AS (SELECT * FROM unnest(%(tenants)s::text[], %(values)s::text[]) "
            "AS p (tenant_id, value)) SELECT h.id, h.tenant_id, h.account_id, "
            "ARRAY({places}) AS places FROM {own}.hold h WHERE h.released_at IS NULL "
            "AND (h.until IS NULL OR h.until > %(now)s) AND ({lost}) ORDER BY h.id"
        ).format(own=self._own, lost=listed(lost, " OR "), places=self._places())

    def _places(self) -> Composed:
        """The tenants of the accounts that have what a hold `h` has seen, or its id."""
        tenant: Composable = SQL("NULL")
        if self._accounts.tenant is not None:
            tenant = column("a", self._accounts.tenant)
        parts: list[Composable] = [
            SQL("SELECT {}::text FROM {} AS a WHERE {} = h.account_id").format(
                tenant, table(self._accounts.table), self._rows.account
            )
        ]
        parts += [
            SQL(
                "SELECT {tenant}::text FROM {own}.hold_subject s JOIN {rows} AS c ON {same} "
                "{joins} WHERE s.hold_id = h.id AND s.kind = {kind}"
            ).format(
                tenant=tenant,
                own=self._own,
                rows=table(found),
                same=same,
                joins=joins,
                kind=literal(kind),
            )
            for kind, found, same, joins in self._seen()
        ]
        return listed(parts, " UNION ")

    def _seen(self) -> Iterator[tuple[str, TableName, Composable, Composable]]:
        """What holds see: its kind, its table, whether `c` is `s`, and the joins up to `a`."""
        found = self._datamap.transactions
        if found is not None and self._catalog.table(found.table).proves_unique(found.id):
            parent = found.parent_key or self._accounts.id
            above: Side = ("a", self._info, parent)
            below: Side = ("c", self._catalog.table(found.table), found.account)
            joins = SQL("JOIN {} AS a ON {}").format(
                table(self._accounts.table), all_of(key_equality(above, below))
            )
            yield TRANSACTION, found.table, self._is_subject(found.table, found.id), joins
        hops = {self._accounts.table} | ({found.table} if found is not None else set())
        for link in self._datamap.links.values():
            hops.add(link.table)
            if self._catalog.table(link.table).proves_unique(link.id):
                up = climb(self._datamap, self._catalog, link).joins()
                yield str(link.table), link.table, self._is_subject(link.table, link.id), up
        for entry in self._datamap.credentials:
            key = self._catalog.table(entry.table).own_key(entry.key)
            if key is not None and entry.table not in hops:
                up = climb(self._datamap, self._catalog, entry).joins()
                yield str(entry.table), entry.table, self._is_subject(entry.table, key), up

    def _is_subject(self, name: TableName, key: Sequence[str]) -> Composable:
        """By the key's own index where it has one column."""
        if len(key) > 1:
            return SQL("{} = s.subject_id").format(id_text("c", key))
        kind = self._catalog.table(name).column(key[0])
        return equality(
            column("c", key[0]), SQL("s.subject_id::{}").format(type_of(kind)), kind.operators
        )

    def overdue(self, scope: Scope) -> Composed:
        """Accounts whose activity is not after `cutoffs` and that hold credentials of the scope.

        One row a tenant. `newer`: activity elsewhere or a newer credential, as its rows say now or
        as they said before they were erased. `on_hold`: by a hold that is active, or ended after
        `since`: who was kept back until then is not late yet. `paused`: with activity after the
        tenant's one of `excused` (NULL: none), so that they became due under a pause, or were not
        late when it began. Further parameter: scope.
        """
        past = self._rows.past
        there = (self._rows.there(entry, past) for entry in self._datamap.entries(scope))
        return SQL(
            "WITH p AS (SELECT * FROM unnest(%(tenants)s::text[], %(values)s::text[], "
            "%(cutoffs)s::timestamptz[], %(excused)s::timestamptz[]) "
            "AS p (tenant_id, value, cutoff, excused)), "
            "left_over AS (SELECT DISTINCT tenant_id, account, active_at FROM ({found}) AS f), "
            "later AS (SELECT tenant_id, account FROM ({evidence}) AS e "
            "GROUP BY tenant_id, account), "
            "judged AS (SELECT l.*, later.account IS NOT NULL AS newer, "
            "l.active_at > p.excused IS TRUE AS excused, EXISTS (SELECT 1 FROM "
            "{own}.hold h WHERE {whose} h.account_id = l.account "
            "AND COALESCE(LEAST(h.released_at, h.until), 'infinity') > %(since)s) AS held "
            "FROM left_over l JOIN p USING (tenant_id) LEFT JOIN later USING (tenant_id, account)) "
            "SELECT tenant_id, count(*) FILTER (WHERE held) AS on_hold, "
            "count(*) FILTER (WHERE newer AND NOT held) AS deferred, "
            "count(*) FILTER (WHERE NOT newer AND NOT held AND excused) AS paused, "
            "count(*) FILTER (WHERE NOT newer AND NOT held AND NOT excused) AS overdue, "
            "GREATEST(min(active_at) FILTER (WHERE NOT newer AND NOT held), '0001-01-02') "
            "AS oldest, (array_agg(account ORDER BY excused, active_at, account) "
            "FILTER (WHERE NOT newer AND NOT held))[1:5] AS examples "
            "FROM judged GROUP BY tenant_id ORDER BY tenant_id"
        ).format(
            found=listed(there, " UNION ALL "),
            evidence=listed(self._rows.evidence(), " UNION ALL "),
            own=self._own,
            whose=SQL("" if self.alone else "h.tenant_id = l.tenant_id AND"),
        )

    def back(self, entry: Credential) -> Composed:
        """Erased subjects that hold rows of the entry again, which no newer activity explains.

        One row a tenant and kind. Further parameter: `scopes`, the erasures that cover the entry.
        """
        return self._erased_and(entry, self._rows.there(entry))

    def keeping(self, entry: Credential) -> Composed | None:
        """Erased subjects whose rows, though blanked, still name objects that wait to be deleted.

        As `back`; None where no row of the entry can.
        """
        if not entry.objects or not isinstance(entry.erase, SetAndRemove):
            return None
        waiting = SQL("SELECT uri FROM {}.object_deletion WHERE state = 'kept'").format(self._own)
        names = listed(
            (SQL("{} IN ({})").format(self._uri(source), waiting) for source in entry.objects),
            " OR ",
        )
        naming = SQL("({})").format(names)
        return self._erased_and(entry, self._rows.there(entry, naming, blanked=True))

    def _uri(self, source: ObjectSource) -> Composable:
        """The object that the row `c` names."""
        fields = {
            "{tenant}": SQL("p.tenant_id"),
            "{id}": self._rows.account,
            "{value}": SQL("NULLIF({}::text, '')").format(column("c", source.column)),
        }
        return listed(
            (fields.get(piece) or literal(piece) for piece in pieces_of(source.uri)), " || "
        )

    def _erased_and(self, entry: Credential, there: Composable) -> Composed:
        above = climb(self._datamap, self._catalog, entry)
        return SQL(
            "WITH p AS (SELECT * FROM unnest(%(tenants)s::text[], %(values)s::text[]) "
            "AS p (tenant_id, value)), "
            "stone AS (SELECT tenant_id, kind, subject_id, max(erased_at) AS erased_at "
            "FROM {}.erasure WHERE complete AND scope = ANY (%(scopes)s::text[]) "
            "GROUP BY tenant_id, kind, subject_id) "
            "SELECT tenant_id, kind, count(DISTINCT subject_id) AS subjects, "
            "(array_agg(DISTINCT subject_id))[1:5] AS examples FROM ({}) AS f "
            "GROUP BY tenant_id, kind ORDER BY tenant_id, kind"
        ).format(self._own, listed(self._under_stones(entry, above, there), " UNION ALL "))

    def _under_stones(
        self, entry: Credential, above: Climb, there: Composable
    ) -> Iterator[Composable]:
        wanted = SQL(
            "SELECT r.tenant_id, stone.kind, stone.subject_id FROM ({there}) AS r JOIN stone "
            "ON stone.tenant_id = r.tenant_id AND stone.kind = {kind} "
            "AND stone.subject_id = r.{subject} WHERE ({explained}) IS NOT TRUE"
        )
        newer = SQL("GREATEST(r.active_at, r.made_at, r.seen_at) > stone.erased_at")
        biometric = entry.class_ is CredentialClass.BIOMETRIC
        transactions = self._datamap.transactions
        opened = above.transaction is not None and transactions and transactions.created_at
        yield wanted.format(
            there=there,
            kind=SQL("'account'"),
            subject=SQL("account"),
            explained=SQL("r.opened_at > stone.erased_at") if biometric and opened else newer,
        )
        if above.transaction is not None:
            yield wanted.format(
                there=there,
                kind=SQL("'transaction'"),
                subject=SQL("transaction_id"),
                explained=SQL("FALSE") if biometric else newer,
            )
        if (
            above.transaction is not None
            and biometric
            and transactions is not None
            and self._catalog.table(transactions.table).proves_unique(transactions.id)
        ):
            # Whoever's the transaction is by now: its id tells it from all others.
            yield SQL(
                "SELECT r.tenant_id, 'transaction' AS kind, r.transaction_id AS subject_id "
                "FROM ({there}) AS r JOIN {own}.erased_transaction n "
                "ON n.transaction_id = r.transaction_id "
                "WHERE n.batch_id IN (SELECT batch_id FROM {own}.erasure) "
                # Of the account that was erased itself the other statement tells.
                "AND NOT EXISTS (SELECT 1 FROM {own}.erasure e WHERE e.batch_id = n.batch_id "
                "AND e.complete AND e.kind = 'account' AND e.subject_id = r.account "
                "AND e.tenant_id = r.tenant_id)"
            ).format(there=there, own=self._own)

    def made_ahead(self, entry: Credential) -> Composed | None:
        """How many rows of an entry were made after `ahead`; None where nothing says when."""
        made = self._rows.made(entry)
        if entry.created_at is None:
            return None
        return SQL("SELECT count(*) AS rows FROM {} AS c WHERE {} > %(ahead)s AND {}").format(
            table(entry.table), made, self._rows.mine(entry)
        )

    def strangers(self) -> Composed | None:
        """Accounts that were erased for another tenant than their own; None where ids repeat."""
        if self._accounts.tenant is None or not self.alone:
            return None
        return SQL(
            "WITH p AS (SELECT * FROM unnest(%(tenants)s::text[], %(values)s::text[]) "
            "AS p (tenant_id, value)) "
            "SELECT e.tenant_id, count(*) AS accounts, (array_agg(e.subject_id))[1:5] AS examples "
            "FROM (SELECT DISTINCT tenant_id, subject_id FROM {}.erasure WHERE kind = 'account') "
            "AS e JOIN p ON p.tenant_id = e.tenant_id JOIN {} AS a ON {} = e.subject_id "
            "WHERE NOT ({}) GROUP BY e.tenant_id ORDER BY e.tenant_id"
        ).format(
            self._own,
            table(self._accounts.table),
            self._rows.account,
            self._rows.of_tenant(),
        )

    def unclaimed(self, name: TableName) -> Composed | None:
        """Kinds of rows that no entry and no retained part names; None where all are named."""
        info = self._catalog.table(name)
        parts = [each.where for each in self._datamap.credentials if each.table == name]
        parts += [each.where for each in self._datamap.retained if each.table == name]
        if any(where is None for where in parts):
            return None
        columns = dict.fromkeys(each for where in parts for each in where or ())
        kind = listed(
            SQL("{} || COALESCE(left({}::text, 40), 'NULL')").format(
                literal(f"{each}="), column("c", each)
            )
            for each in columns
        )
        claimed = listed((belongs(info, where, "c") for where in parts), " OR ")
        return SQL(
            "SELECT concat_ws(' ', {}) AS kind, count(*) AS rows FROM {} AS c "
            "WHERE ({}) IS NOT TRUE GROUP BY kind ORDER BY rows DESC, kind LIMIT 20"
        ).format(kind, table(name), claimed)

    def shared(self, name: TableName) -> Composed | None:
        """Rows of credentials that lead up to two accounts: `rows`; None where none can."""
        entries = [each for each in self._datamap.credentials if each.table == name]
        ways = {(each.of, each.key, each.parent_key): each for each in entries}
        climbs = [climb(self._datamap, self._catalog, each, by_keys=True) for each in ways.values()]
        if len(climbs) == 1 and self._is_one(entries[0]):
            return None
        tenant: Composable = SQL("NULL")
        if self._accounts.tenant is not None:
            tenant = column("a", self._accounts.tenant)
        owners = listed(
            (
                SQL("SELECT {} AS account, {}::text AS tenant FROM {} WHERE {}").format(
                    self._rows.account, tenant, each.sources(), each.conditions()
                )
                for each in climbs
            ),
            " UNION ",
        )
        return SQL(
            "SELECT count(*) AS rows FROM {} AS c WHERE ({}) "
            "AND (SELECT count(*) FROM ({}) AS owners) > 1"
        ).format(
            table(name),
            listed((self._rows.mine(entry) for entry in entries), " OR "),
            owners,
        )

    def _is_one(self, entry: Credential) -> bool:
        """Whether each key on the way up has a unique index, the tenant's column in it or not."""
        below: Credential | Link = entry
        names = [*self._datamap.ancestors(entry.of), None]
        for name in names:
            key, found = self._datamap.parent_key(below), self._accounts.table
            tenant = self._accounts.tenant
            if name == TRANSACTION and self._datamap.transactions is not None:
                found, tenant = self._datamap.transactions.table, self._datamap.transactions.tenant
            elif name is not None:
                below = self._datamap.links[name]
                found, tenant = below.table, below.tenant
            if not self._catalog.table(found).proves_unique({*key, *([tenant] if tenant else [])}):
                return False
            if name == TRANSACTION and self._datamap.transactions is not None:
                parent = self._datamap.transactions.parent_key or self._accounts.id
                own = {*parent, *([self._accounts.tenant] if self._accounts.tenant else [])}
                return self._info.proves_unique(own)
        return True

    def left_out(self, name: TableName) -> Composed | None:
        """Rows of credentials whose transaction, or link, is none of the map's by its `where`.

        Returns `parents` (the tables) and `rows`; None where nothing is left out. A row that
        another entry claims is not among them.
        """
        entries = [each for each in self._datamap.credentials if each.table == name]
        ways = {(each.of, each.key, each.parent_key, each.tenant): each for each in entries}
        climbs = [climb(self._datamap, self._catalog, each, by_keys=True) for each in ways.values()]
        left = [found for above in climbs for found in above.elsewhere()]
        if not left:
            return None
        claimed = listed(
            (
                SQL("EXISTS (SELECT 1 FROM {} WHERE {})").format(each.sources(), each.conditions())
                for each in climbs
            ),
            " OR ",
        )
        parents = ", ".join(dict.fromkeys(str(rung.table) for rung, _ in left))
        return SQL(
            "SELECT {parents} AS parents, count(*) AS rows FROM {name} AS c "
            "WHERE ({mine}) AND NOT ({claimed}) AND ({left})"
        ).format(
            parents=literal(parents),
            name=table(name),
            mine=listed((self._rows.mine(entry) for entry in entries), " OR "),
            claimed=claimed,
            left=listed((each for _, each in left), " OR "),
        )

    def unreachable(self, entry: Credential, *, sample: bool = False) -> Composed | None:
        """Rows whose keys lead to an account while a table on the way says another tenant, or none.

        Returns `rows`, `accounts` and `examples`; None for an entry that no tenant can hide. By
        keys alone each row is somebody's; with the tenants it is nobody's. `sample`: of a
        hundredth of the table's blocks.
        """
        by_keys = climb(self._datamap, self._catalog, entry, by_keys=True)
        told = [entry.tenant, *(rung.tenant for rung in by_keys.rungs[:-1])]
        if not any(told) or self._accounts.tenant is None:
            return None
        strict = climb(self._datamap, self._catalog, entry)
        return SQL(
            "SELECT count(*) AS rows, count(DISTINCT {account}) AS accounts, "
            "(array_agg(DISTINCT {account}))[1:5] AS examples FROM {table} AS c {sample}, {above} "
            "WHERE {keys} AND ({tenants}) IS NOT TRUE AND {mine}"
        ).format(
            account=self._rows.account,
            table=table(entry.table),
            sample=SQL("TABLESAMPLE SYSTEM (1)" if sample else ""),
            above=by_keys.sources(),
            keys=by_keys.conditions(),
            tenants=self._tenants_agree(entry, strict),
            mine=self._rows.mine(entry),
        )

    def _tenants_agree(self, entry: Credential, above: Climb) -> Composable:
        """Whether every table that says a tenant says the account's."""
        account = above.account
        assert account.tenant is not None
        upper: Told = (account.alias, account.table, account.tenant)
        found = [
            same_tenant(self._catalog, upper, (rung.alias, rung.table, rung.tenant))
            for rung in above.rungs[:-1]
            if rung.tenant is not None
        ]
        if entry.tenant is not None:
            found.append(same_tenant(self._catalog, upper, ("c", entry.table, entry.tenant)))
        return all_of(found)

    def orphans(self, name: TableName) -> Composed:
        """Rows of credentials that lead up to no account, whatever tenants say.

        `orphans`: their parent is gone. `unattached`: they name none (yet); `stale` of those were
        made before `before`, or nobody knows when. What leads to rows that the map's `where`
        leaves out is somebody else's.
        """
        entries = [each for each in self._datamap.credentials if each.table == name]
        mine = listed((self._rows.mine(entry) for entry in entries), " OR ")
        ways = {(each.of, each.key, each.parent_key, each.tenant): each for each in entries}
        found: list[Composable] = []
        for entry in ways.values():
            above = climb(self._datamap, self._catalog, entry, by_keys=True)
            found.append(
                SQL("EXISTS (SELECT 1 FROM {} WHERE {})").format(
                    above.sources(), above.conditions()
                )
            )
            found += [left_out for _, left_out in above.elsewhere()]
        lost = listed((SQL("NOT {}").format(each) for each in found), " AND ")
        loose = all_of(
            [
                SQL("{} IS NULL").format(column("c", each))
                for way in ways.values()
                for each in way.key
            ]
        )
        dated = next((each for each in entries if each.created_at is not None), None)
        fresh: Composable = SQL("FALSE")
        if dated is not None:
            fresh = SQL("COALESCE({} > %(before)s, FALSE)").format(self._rows.made(dated))
        return SQL(
            "SELECT count(*) FILTER (WHERE NOT ({loose})) AS orphans, "
            "count(*) FILTER (WHERE {loose}) AS unattached, "
            "count(*) FILTER (WHERE {loose} AND NOT {fresh}) AS stale "
            "FROM {table} AS c WHERE ({mine}) AND {lost}"
        ).format(loose=loose, fresh=fresh, table=table(name), mine=mine, lost=lost)
