"""The statements on the accounts: page, lock and look again, look, count."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Composed, Identifier

from retention_worker.domain.datamap.datamap import TRANSACTION, ActivitySource, DataMap
from retention_worker.domain.scope import CredentialClass
from retention_worker.store.catalog import BUILT_IN, Catalog
from retention_worker.store.mapsql import many_lanes
from retention_worker.store.mapsql.entries import EntrySql
from retention_worker.store.mapsql.fragments import compared, id_text, key_of, same_key
from retention_worker.store.mapsql.paths import account_keys, given_key, tenant_condition, top_path
from retention_worker.store.mapsql.remains import astray
from retention_worker.store.mapsql.timecolumn import TimeSql, time_sql
from retention_worker.store.quoting import all_of, column, listed, table, type_of


@dataclass(frozen=True, kw_only=True)
class AccountSql:
    """Compiled statements; parameters are named in each.

    `k0`, `k1`, ...: the id columns' values as text arrays; `ids`: the same as one text each.
    """

    activity: TimeSql
    id_columns: tuple[str, ...]
    page: Composed
    lock: Composed
    lock_waiting: Composed
    present: Composed
    look: Composed
    count_due: Composed
    count_live: Composed
    activity_now: Composed
    newer: dict[str, TimeSql]
    due_lanes: Composed
    live_lanes: Composed
    without_accounts: Composed
    same_tenant: Composed | None
    one_tenant: Composed | None
    living: Composed
    refused_tenants: Composed | None
    known_tenants: Composed | None
    without_tenant: Composed | None
    has_text_tenants: bool
    ahead: Composed


def account_sql(
    datamap: DataMap,
    catalog: Catalog,
    entries: tuple[EntrySql, ...],
    schema_name: str,
    held: Composable,
) -> AccountSql:
    """Compile the statements for a map on a catalog; `held` asks which of `k` are on hold.

    Raises:
        DriftError: the map does not fit.
    """
    builder = _AccountBuilder(datamap, catalog, schema_name)
    newer = builder.newer_times()
    return AccountSql(
        activity=builder.activity,
        id_columns=datamap.accounts.id,
        page=builder.page(),
        lock=builder.lock(),
        lock_waiting=builder.lock_waiting(),
        present=builder.present(),
        look=builder.look(entries, newer, held),
        count_due=builder.count(cutoff=True),
        count_live=builder.count(cutoff=False),
        activity_now=builder.activity_now(),
        newer=newer,
        due_lanes=many_lanes.due(datamap, catalog, builder.activity),
        live_lanes=many_lanes.live(datamap, catalog, builder.activity),
        without_accounts=many_lanes.without_accounts(datamap, catalog),
        same_tenant=many_lanes.same_tenant(datamap, catalog),
        one_tenant=many_lanes.one_tenant(datamap, catalog),
        living=builder.living(entries),
        refused_tenants=many_lanes.refused(datamap, catalog),
        known_tenants=many_lanes.known(datamap, catalog),
        without_tenant=many_lanes.without_tenant(datamap, catalog),
        has_text_tenants=many_lanes.has_text_tenants(datamap, catalog),
        ahead=many_lanes.ahead(datamap, catalog, builder.activity),
    )


class _AccountBuilder:
    def __init__(self, datamap: DataMap, catalog: Catalog, schema_name: str) -> None:
        self.datamap = datamap
        self.catalog = catalog
        self.accounts = datamap.accounts
        self.info = catalog.table(self.accounts.table)
        self.schema = Identifier(schema_name)
        self.given = given_key(self.info, self.accounts.id)
        self.activity = time_sql(self.info, self.accounts.last_activity, "accounts.last_activity")
        self.ids = [column("a", name) for name in self.accounts.id]
        self.source = SQL("{} AS a").format(table(self.accounts.table))
        self.value = self.activity.expression("a")

    def _conditions(self, *, cutoff: bool, after: bool = False) -> list[Composable]:
        found: list[Composable] = []
        if self.accounts.tenant is not None:
            found.append(
                tenant_condition(self.catalog, self.accounts.table, "a", self.accounts.tenant)
            )
        if cutoff:
            found.append(SQL("{} <= {}").format(self.value, self.activity.parameter("cutoff")))
            # What lies after a watermark is finite: saying so would have an index scan begin there,
            # at the oldest account, and read through all that were erased long ago.
            found.append(
                SQL("(%(after_activity)s::text IS NOT NULL OR {})").format(
                    self.activity.finite("a")
                )
                if after
                else self.activity.finite("a")
            )
        if after:
            found.append(self._after())
        return found

    def _after(self) -> Composable:
        bounds = [self.activity.parameter("after_activity")]
        bounds += [
            SQL("(%(after_id)s::text[])[{}]::{}").format(
                SQL(str(index + 1)),
                type_of(self.info.column(name)),
            )
            for index, name in enumerate(self.accounts.id)
        ]
        # NULL starts from the beginning; the plan is made for the parameter, so it costs nothing.
        schemas = [BUILT_IN, *(self.info.column(name).operators for name in self.accounts.id)]
        return SQL("(%(after_activity)s::text IS NULL OR {})").format(
            compared([self.value, *self.ids], ">", bounds, schemas)
        )

    def _id_text(self) -> Composable:
        return SQL("ARRAY[{}]").format(listed([SQL("{}::text").format(each) for each in self.ids]))

    def page(self) -> Composed:
        """Candidates by (activity, id): after_activity, after_id, cutoff, limit, tenant."""
        return SQL(
            "SELECT {} AS key, {}::text AS activity FROM {} WHERE {} ORDER BY {} LIMIT %(limit)s"
        ).format(
            self._id_text(),
            self.value,
            self.source,
            all_of(self._conditions(cutoff=True, after=True)),
            listed([self.value, *self.ids]),
        )

    def count(self, *, cutoff: bool) -> Composed:
        """How many accounts lie after the watermark (and not after the cutoff), up to `limit`."""
        return SQL("SELECT count(*) FROM (SELECT 1 FROM {} WHERE {} LIMIT %(limit)s) AS n").format(
            self.source, all_of(self._conditions(cutoff=cutoff, after=True))
        )

    def lock(self) -> Composed:
        """Lock accounts and look again at why they go; a locked one is passed over.

        FOR UPDATE, because it conflicts with the foreign-key check of a transaction that is being
        inserted. In the order of the ids, so that two workers can't deadlock.
        """
        return SQL("{} ORDER BY {} FOR UPDATE OF a SKIP LOCKED").format(
            self._rows(SQL("k.id"), cutoff=True), listed(self.ids)
        )

    def lock_waiting(self) -> Composed:
        """Lock accounts whatever their activity, and wait for whoever has them.

        `key` is the id as the database writes it: a person may write a uuid in capitals or a
        number with a zero in front, and everything that is kept by id is kept by the former.
        """
        return SQL("{} ORDER BY {} FOR UPDATE OF a").format(
            self._rows(SQL("{} AS key").format(self._id_text()), cutoff=False), listed(self.ids)
        )

    def _rows(self, name: Composable, *, cutoff: bool) -> Composed:
        return SQL(
            "SELECT {name}, {value}::text AS activity, {instant}::text AS active_at "
            "FROM {keys}, {source} WHERE {conditions}"
        ).format(
            name=name,
            value=self.value,
            instant=self.activity.instant("a"),
            keys=account_keys(self.info, self.accounts.id),
            source=self.source,
            conditions=all_of([*self._same_account(), *self._conditions(cutoff=cutoff)]),
        )

    def present(self) -> Composed:
        """Without a lock: the accounts among `k` that are there, and their activity."""
        return SQL(
            "SELECT k.id, {value}::text AS activity, {instant}::text AS active_at, "
            "COALESCE({due}, FALSE) AS due FROM {keys}, {source} WHERE {conditions}"
        ).format(
            value=self.value,
            instant=self.activity.instant("a"),
            due=all_of(
                [
                    SQL("{} <= {}").format(self.value, self.activity.parameter("cutoff")),
                    self.activity.finite("a"),
                ]
            ),
            keys=account_keys(self.info, self.accounts.id),
            source=self.source,
            conditions=all_of([*self._same_account(), *self._conditions(cutoff=False)]),
        )

    def activity_now(self) -> Composed:
        """The activity of locked accounts as this transaction sees it now."""
        return SQL("SELECT k.id, {}::text AS activity FROM {}, {} WHERE {}").format(
            self.value,
            account_keys(self.info, self.accounts.id),
            self.source,
            all_of([*self._same_account(), *self._conditions(cutoff=False)]),
        )

    def _same_account(self) -> list[Composable]:
        return same_key(key_of("a", self.info, self.accounts.id), self.given)

    def newer_times(self) -> dict[str, TimeSql]:
        """The times in other tables that count as activity, by parameter name."""
        found: dict[str, TimeSql] = {}
        for index, source in enumerate(self.accounts.activity):
            found[f"activity{index}"] = time_sql(
                self.catalog.table(source.table), (source.at,), f"accounts.activity[{index}].at"
            )
        return found

    def look(
        self, entries: tuple[EntrySql, ...], newer: dict[str, TimeSql], held: Composable
    ) -> Composed:
        """Everything that decides about accounts beside their own row, after the lock.

        One row an account: on hold until when, the latest newer activity, the newest credential
        and whether it is newer, whether credentials of each class are there, how many rows hang
        directly under it, and whether any below it says another tenant. Parameters: tenant, scope,
        now, cutoff_at (an instant, NULL: no cutoff), max_units, those of `newer`, and thorough:
        look for other credentials though there are biometrics.
        """
        activities = [
            self._newest_activity(source, newer[f"activity{index}"], f"activity{index}")
            for index, source in self._sources()
        ]
        credentials = [
            self._newest_credential(entry)
            for entry in entries
            if entry.entry.created_at is not None
        ]
        latest = [self._latest(source, newer[f"activity{i}"]) for i, source in self._sources()]
        return SQL(
            "WITH held AS MATERIALIZED ({held}) "
            "SELECT k.id, held.until AS hold, {activity}::text AS newer_activity, "
            "{latest}::text AS latest_activity, "
            "seen.at::text AS newest_credential, COALESCE(seen.at > %(cutoff_at)s, FALSE) "
            "AS credential_is_newer, seen.biometric AS has_biometric, "
            "{other} AS has_other, {units}::bigint AS units, {astray} AS is_astray "
            "FROM {keys} LEFT JOIN held ON held.id = k.id "
            # OFFSET keeps it apart: pulled up, each would be looked for wherever it is named.
            "CROSS JOIN LATERAL (SELECT {credential} AS at, {biometric} AS biometric, "
            "{remembered} AS remembered OFFSET 0) AS seen"
        ).format(
            held=held,
            activity=_greatest(
                [
                    SQL("CASE WHEN seen.remembered > %(cutoff_at)s THEN seen.remembered END"),
                    *activities,
                ]
            ),
            latest=_greatest([SQL("seen.remembered"), SQL("seen.at"), *latest]),
            remembered=self._remembered(),
            credential=_greatest(credentials),
            biometric=_any_of(entries, CredentialClass.BIOMETRIC),
            # What the scope does not erase is not looked for, nor what decides nothing any more.
            other=SQL("(%(scope)s = 'all' AND (%(thorough)s OR NOT seen.biometric) AND {})").format(
                _any_of(entries, CredentialClass.OTHER)
            ),
            units=self._units(entries),
            astray=astray(self.datamap, self.catalog, entries),
            keys=account_keys(self.info, self.accounts.id),
        )

    def _sources(self) -> list[tuple[int, ActivitySource]]:
        return list(enumerate(self.accounts.activity))

    def _latest(self, source: ActivitySource, at: TimeSql) -> Composable:
        """The latest activity in another table, whether it is newer or not."""
        return SQL("(SELECT max({}) FROM {} AS s WHERE {})").format(
            at.instant("s"), table(source.table), all_of(self._of_account(source))
        )

    def _of_account(self, source: ActivitySource) -> list[Composable]:
        conditions = same_key(key_of("s", self.catalog.table(source.table), source.key), self.given)
        if source.tenant is not None:
            conditions.append(tenant_condition(self.catalog, source.table, "s", source.tenant))
        return conditions

    def _newest_activity(self, source: ActivitySource, at: TimeSql, name: str) -> Composable:
        conditions = self._of_account(source)
        conditions.append(SQL("{} > {}").format(at.expression("s"), at.parameter(name)))
        return SQL("(SELECT max({}) FROM {} AS s WHERE {})").format(
            at.instant("s"), table(source.table), all_of(conditions)
        )

    def _newest_credential(self, entry: EntrySql, *, living: bool = False) -> Composable:
        path = entry.path
        assert entry.entry.created_at is not None
        at = time_sql(
            self.catalog.table(entry.entry.table),
            (entry.entry.created_at,),
            f"credentials[{entry.entry.name}].created_at",
        )
        sources = [*path.others(), SQL("{} AS c").format(table(path.target))]
        conditions = [*path.conditions, self._not_erased(entry)] if living else path.conditions
        return SQL("(SELECT max({}) FROM {} WHERE {})").format(
            at.instant("c"), listed(sources), all_of(conditions)
        )

    def _not_erased(self, entry: EntrySql) -> Composable:
        """Whether a biometric of a transaction is no recreation of what was erased.

        By the rule of the trigger that refuses those: the transaction itself was erased, or its
        account after the transaction had begun.
        """
        found = self.datamap.transactions
        top = entry.path.top
        if entry.entry.class_ is not CredentialClass.BIOMETRIC or entry.top_name != TRANSACTION:
            return SQL("TRUE")
        assert found is not None
        assert top is not None
        stones: list[Composable] = [
            SQL("e.kind = 'transaction' AND e.subject_id = {}").format(id_text(top.alias, top.id))
        ]
        if found.created_at is not None:
            began = time_sql(
                self.catalog.table(found.table), (found.created_at,), "transactions.created_at"
            )
            stones.append(
                SQL("e.kind = 'account' AND e.subject_id = k.id AND e.erased_at >= {}").format(
                    began.instant(top.alias)
                )
            )
        found_none = [
            SQL("NOT EXISTS (SELECT 1 FROM {}.erasure e WHERE e.complete AND {})").format(
                self.schema, stone
            )
            for stone in stones
        ]
        if self.catalog.table(found.table).proves_unique(found.id):
            found_none.append(
                SQL(
                    "NOT EXISTS (SELECT 1 FROM {schema}.erased_transaction n "
                    "JOIN {schema}.erasure e ON e.batch_id = n.batch_id "
                    "WHERE n.transaction_id = {transaction})"
                ).format(schema=self.schema, transaction=id_text(top.alias, top.id))
            )
        return all_of(found_none)

    def living(self, entries: tuple[EntrySql, ...]) -> Composed:
        """The newest credential of accounts that is no recreation: `id`, `at`, whether `is_newer`.

        Parameters: cutoff_at, ids, k0, ...
        """
        credentials = [
            self._newest_credential(entry, living=True)
            for entry in entries
            if entry.entry.created_at is not None
        ]
        return SQL(
            "SELECT k.id, seen.at::text AS at, COALESCE(seen.at > %(cutoff_at)s, FALSE) "
            "AS is_newer FROM {} CROSS JOIN LATERAL (SELECT {} AS at OFFSET 0) AS seen"
        ).format(account_keys(self.info, self.accounts.id), _greatest(credentials))

    def _remembered(self) -> Composable:
        """An activity that was seen before, its evidence erased meanwhile."""
        return SQL(
            "(SELECT d.known_at FROM {}.deferred d WHERE d.tenant_id = %(tenant)s "
            "AND d.scope = %(scope)s AND d.account_id = k.id)"
        ).format(self.schema)

    def _units(self, entries: tuple[EntrySql, ...]) -> Composable:
        parts: list[Composable] = [
            SQL(
                "(SELECT count(*) FROM (SELECT 1 FROM {} WHERE {} LIMIT %(max_units)s) AS u)"
            ).format(
                listed([*path.others(), SQL("{} AS c").format(table(path.target))]),
                all_of(path.conditions),
            )
            for path in (top_path(self.datamap, self.catalog, name) for name in tops(entries))
        ]
        return listed([SQL("0"), *parts], " + ")


def tops(entries: tuple[EntrySql, ...]) -> list[str]:
    """The names directly under accounts (transactions, links) through which entries are reached."""
    names = [entry.top_name for entry in entries]
    return list(dict.fromkeys(name for name in names if name is not None))


def _greatest(parts: list[Composable]) -> Composable:
    if not parts:
        return SQL("NULL::timestamptz")
    return SQL("GREATEST({})").format(listed(parts))


def _any_of(entries: tuple[EntrySql, ...], wanted: CredentialClass) -> Composable:
    found = [entry.exists for entry in entries if entry.entry.class_ is wanted]
    return SQL("({})").format(listed(found, " OR ")) if found else SQL("FALSE")
