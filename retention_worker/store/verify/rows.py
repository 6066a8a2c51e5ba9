"""The rows that still hold something, seen with their account; and what else tells of activity.

Everything is for a statement that has `p`: the tenants to look at, with `value` and often `cutoff`.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.sql import SQL, Composable

from retention_worker.domain.datamap.credential import Credential
from retention_worker.domain.datamap.datamap import ActivitySource, DataMap
from retention_worker.store.catalog import Catalog
from retention_worker.store.quoting import column, identifier, listed, table, type_of
from retention_worker.store.verify.ancestors import climb, same_tenant
from retention_worker.store.verify.content import belongs, holds
from retention_worker.store.verify.instants import instant
from retention_worker.store.verify.keys import equality, id_text, key_equality

_NO_TIME = SQL("NULL::timestamptz")


class Rows:
    """Pieces of statements; `active` and `account` are of the account `a`."""

    def __init__(self, datamap: DataMap, catalog: Catalog, schema_name: str) -> None:
        self._datamap = datamap
        self._catalog = catalog
        self._accounts = datamap.accounts
        self._info = catalog.table(datamap.accounts.table)
        self._own = identifier(schema_name)
        self.active = instant(self._info, datamap.accounts.last_activity, "a")
        self.account = id_text("a", datamap.accounts.id)

    def there(self, entry: Credential, *extra: Composable, blanked: bool = False) -> Composable:
        """Rows of an entry that hold something, with what tells whether they may.

        `blanked`: rows that hold nothing any more, too.
        """
        info = self._catalog.table(entry.table)
        mine = belongs(info, entry.where, "c") if blanked else self.mine(entry)
        above = climb(self._datamap, self._catalog, entry)
        transaction, mapped = above.transaction, self._datamap.transactions
        opened: Composable = _NO_TIME
        if transaction is not None and mapped is not None and mapped.created_at is not None:
            info = self._catalog.table(transaction.table)
            opened = instant(info, (mapped.created_at,), transaction.alias)
        return SQL(
            "SELECT p.tenant_id, {account} AS account, {active} AS active_at, {made} AS made_at, "
            "{seen} AS seen_at, {opened} AS opened_at, {transaction} AS transaction_id "
            "FROM {entry} AS c {joins} JOIN p ON {tenant} WHERE {conditions}"
        ).format(
            account=self.account,
            active=self.active,
            made=self.made(entry),
            seen=self._seen_elsewhere(),
            opened=opened,
            transaction=(
                id_text(transaction.alias, transaction.id) if transaction else SQL("NULL::text")
            ),
            entry=table(entry.table),
            joins=above.joins(),
            tenant=self.of_tenant(),
            conditions=listed([mine, *extra], " AND "),
        )

    def mine(self, entry: Credential) -> Composable:
        """Whether `c` is a row of the entry that holds something."""
        info = self._catalog.table(entry.table)
        parts = [belongs(info, entry.where, "c"), holds(info, entry, "c")]
        return SQL("({})").format(listed(parts, " AND "))

    def made(self, entry: Credential) -> Composable:
        """When a row of the entry was made; NULL where the map does not say."""
        if entry.created_at is None:
            return _NO_TIME
        return instant(self._catalog.table(entry.table), (entry.created_at,), "c")

    def of_tenant(self) -> Composable:
        """Whether `a` is of the tenant `p`; without a tenant column all are of the one tenant."""
        if self._accounts.tenant is None:
            return SQL("TRUE")
        info = self._info.column(self._accounts.tenant)
        value = SQL("p.value::{}").format(type_of(info))
        return equality(column("a", info.name), value, info.operators)

    @property
    def past(self) -> Composable:
        """Whether the account's own activity is not after the cutoff of `p`."""
        return SQL("{0} <= p.cutoff AND {0} > '-infinity'").format(self.active)

    def evidence(self) -> Sequence[Composable]:
        """Whatever says that an account was active after its cutoff, beside its own row."""
        found: list[Composable] = [
            SQL(
                "SELECT d.tenant_id, d.account_id AS account FROM {}.deferred d JOIN p "
                "ON p.tenant_id = d.tenant_id WHERE d.scope = %(scope)s AND d.known_at > p.cutoff"
            ).format(self._own)
        ]
        for source in self._accounts.activity:
            at = instant(self._catalog.table(source.table), (source.at,), "s")
            found.append(self._seen(self._source(source), at))
        for entry in self._datamap.credentials:
            if entry.created_at is not None:
                above = climb(self._datamap, self._catalog, entry)
                rows = SQL("{} AS c {}").format(table(entry.table), above.joins())
                found.append(self._seen(rows, self.made(entry), self.mine(entry)))
        return found

    def _source(self, source: ActivitySource) -> Composable:
        """Rows elsewhere that count as activity, with their account."""
        return SQL("{} AS s JOIN {} AS a ON {}").format(
            table(source.table), table(self._accounts.table), self._same_account(source)
        )

    def _same_account(self, source: ActivitySource) -> Composable:
        accounts = self._accounts
        table_of = self._catalog.table(source.table)
        same = key_equality(("s", table_of, source.key), ("a", self._info, accounts.id))
        if source.tenant is not None and accounts.tenant is not None:
            upper = ("a", accounts.table, accounts.tenant)
            same.append(same_tenant(self._catalog, upper, ("s", source.table, source.tenant)))
        return listed(same, " AND ")

    def _seen_elsewhere(self) -> Composable:
        """The latest activity of the account in other tables."""
        found: list[Composable] = [_NO_TIME]
        for source in self._accounts.activity:
            at = instant(self._catalog.table(source.table), (source.at,), "s")
            found.append(
                SQL("(SELECT max({}) FROM {} AS s WHERE {})").format(
                    at, table(source.table), self._same_account(source)
                )
            )
        return SQL("GREATEST({})").format(listed(found))

    def _seen(self, rows: Composable, at: Composable, *extra: Composable) -> Composable:
        conditions = [self.past, SQL("{} > p.cutoff").format(at), *extra]
        return SQL("SELECT p.tenant_id, {} AS account FROM {} JOIN p ON {} WHERE {}").format(
            self.account, rows, self.of_tenant(), listed(conditions, " AND ")
        )
