"""Explains one account: why its credentials are still there, when they go, what was erased."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from retention_worker.domain.errors import UnknownSubject
from retention_worker.domain.explain.explanation import (
    Activity,
    ExplainedEntry,
    Explanation,
    LaneExplained,
    Obstacle,
    PolicyRule,
    State,
    explain_entry,
    explain_lane,
)
from retention_worker.domain.objects.object import ObjectCounts
from retention_worker.domain.scope import Scope
from retention_worker.service.checks.warnings import latest_known
from retention_worker.service.config import load, prepare
from retention_worker.service.context import Context
from retention_worker.service.explain.obstacles import AccountScope, obstacles_of
from retention_worker.service.guard import guard
from retention_worker.service.remembered import refusal_of
from retention_worker.service.subject import of_another_type
from retention_worker.service.tenants import Tenant, find_tenant
from retention_worker.store.connection.keys import Key, id_text, parse_id
from retention_worker.store.connection.pool import Connection
from retention_worker.store.connection.session import Session
from retention_worker.store.explain import explain as store
from retention_worker.store.mapped import remains
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.mapsql.explain import ExplainSql, explain_sql
from retention_worker.store.own import control


def explain(context: Context, account: str, *, tenant: str | None) -> Explanation:
    """Say everything about one account; nothing is written.

    Args:
        account: its id as a person writes it.
        tenant: a policy file's name, or a value of the tenant column.

    Raises:
        UnknownSubject: neither the tenant's accounts nor its ledger know the account.
        ConfigurationError: no tenant was named, or the data map is wrong.
    """
    with context.pool.connection() as conn:
        loaded = load(context, conn)
        compiled = loaded.compiled
        key = parse_id(account, compiled.id_width)
        now = min(context.clock(), context.database_clock(conn))
        refusal = _refusal(context, conn)
        with context.reading(conn) as session:
            who = find_tenant(session, loaded.policies, tenant, single=loaded.single)
            case = _ExplainedAccount(
                context, session, compiled, explain_sql(compiled), who, now, refusal
            )
            return case.explain(key)


def _refusal(context: Context, conn: Connection) -> str | None:
    """Why no sweep at all would start now, in one line."""

    def start() -> None:
        prepare(context, conn)
        guard.start_time(conn, context.clock, context.database_clock, context.settings)

    if context.memory is not None:
        return context.memory.refusal(start)
    return refusal_of(start)


@dataclass
class _ExplainedAccount:
    context: Context
    session: Session
    compiled: CompiledMap
    sql: ExplainSql
    tenant: Tenant
    now: datetime
    refusal: str | None

    def explain(self, given: Key) -> Explanation:
        account = self._account(given)
        self.key = account.key if account else given
        self.subject = id_text(self.key)
        self.remains = self._remains() if account else []
        known = (self.session, self.tenant.tenant_id, self.subject, self._transactions())
        erased = store.erasures(*known)
        if account is None and not erased:
            raise UnknownSubject(
                f"tenant {self.tenant.name!r} has no account {id_text(given)!r}: "
                "look at the id and the tenant"
            )
        entries = self._entries(store.erased_entries(*known))
        explained = self._lanes(account, entries) if account else ()
        activities = self._activities(account) if account else {}
        skew = timedelta(seconds=self.context.settings.max_clock_skew_seconds)
        latest = latest_known(self.compiled.datamap, self.compiled.catalog, self.now, skew)
        return Explanation(
            account=self.subject,
            tenant=self.tenant.name,
            tenant_id=self.tenant.tenant_id,
            at=self.now,
            present=account is not None,
            activities=activities,
            lanes=explained,
            entries=tuple(explain_entry(each, explained) for each in entries),
            erasures=tuple(erased),
            requests=tuple(store.requests(self.session, self.tenant.tenant_id, self.subject)),
            last_sweep=control.latest_start(self.session),
            ahead=tuple(name for name, at in activities.items() if at and at > latest),
        )

    def _account(self, given: Key) -> store.AccountActivity | None:
        with of_another_type(id_text(given)):
            return store.account(
                self.session, self.compiled, self.sql, self.tenant.tenant_id, given
            )

    def _remains(self) -> list[remains.Remains]:
        """What hangs on the account by keys alone: nothing found is not nothing there."""
        tenant_id = self.tenant.tenant_id
        return remains.of_accounts(self.session, self.compiled, tenant_id, Scope.ALL, [self.key])

    def _lost(self, scope: Scope) -> str | None:
        names = {each.entry.name for each in self.compiled.of_scope(scope)}
        return remains.unreachable(each for each in self.remains if each.entry in names)

    def _transactions(self) -> list[str]:
        return store.transactions(
            self.session, self.compiled, self.sql, self.tenant.tenant_id, self.key
        )

    def _entries(self, erased: Mapping[str, datetime]) -> list[ExplainedEntry]:
        """Every entry of the map, in the file's order."""
        counts = store.counts(self.session, self.compiled, self.tenant.tenant_id, self.key)
        outbox = store.objects(self.session, self.tenant.tenant_id, self.subject)
        unreachable = {each.entry: each.unreachable for each in self.remains}
        return [
            ExplainedEntry(
                name=each.name,
                table=str(each.table),
                class_=each.class_,
                rows=counts[each.name][0] + unreachable.get(each.name, 0),
                objects=counts[each.name][1],
                outbox=outbox.get(each.name, ObjectCounts()),
                erased_at=erased.get(each.name),
            )
            for each in self.compiled.datamap.credentials
        ]

    def _activities(self, account: store.AccountActivity) -> dict[str, datetime | None]:
        return self._own(account) | self._others(account)

    def _own(self, account: store.AccountActivity) -> dict[str, datetime | None]:
        table = self.compiled.datamap.accounts.table
        return {f"{table}.{column}": at for column, at in account.own.items()}

    def _others(self, account: store.AccountActivity) -> dict[str, datetime | None]:
        sources = self.compiled.datamap.accounts.activity
        elsewhere = {
            f"{source.table}.{source.at.column}": at
            for source, at in zip(sources, account.elsewhere, strict=True)
        }
        return elsewhere | {f"newest of {name}": at for name, at in account.credentials.items()}

    def _lanes(
        self, account: store.AccountActivity, entries: list[ExplainedEntry]
    ) -> tuple[LaneExplained, ...]:
        tenant_id = self.tenant.tenant_id
        own = _known(self._own(account)) if account.counts else []
        deferrals = store.deferrals(self.session, tenant_id, self.subject)
        return tuple(
            explain_lane(
                scope,
                self._rule(scope),
                own=max(own, key=lambda each: each.at) if own else None,
                others=[*_known(self._others(account)), *_remembered(deferrals.get(scope))],
                rows=sum(each.rows for each in entries if scope.covers(each.class_)),
                obstacles=self._obstacles(account, scope, deferrals.get(scope)),
                now=self.now,
                overdue_after=self.context.settings.overdue_after,
            )
            for scope in Scope
        )

    def _obstacles(
        self, account: store.AccountActivity, scope: Scope, deferral: store.Deferral | None
    ) -> list[Obstacle]:
        return obstacles_of(
            AccountScope(
                context=self.context,
                session=self.session,
                compiled=self.compiled,
                sql=self.sql,
                tenant=self.tenant,
                account=account,
                scope=scope,
                deferral=deferral,
                now=self.now,
                refusal=self.refusal,
                lost=self._lost(scope),
            )
        )

    def _rule(self, scope: Scope) -> PolicyRule:
        tenant, file = self.tenant, self.tenant.file
        if tenant.problems:
            return PolicyRule(state=State.INVALID_POLICY, problems=tenant.problems)
        if file is None:
            return PolicyRule(state=State.NO_POLICY)
        period = file.policy.period(scope)
        return PolicyRule(
            state=State.NEVER if period is None else None,
            period=period,
            file=str(file.path),
            digest=file.policy.digest,
            applied_at=store.applied(self.session, tenant.tenant_id, file.policy.digest),
        )


def _known(sources: Mapping[str, datetime | None]) -> list[Activity]:
    return [Activity(source=name, at=at) for name, at in sources.items() if at is not None]


def _remembered(deferral: store.Deferral | None) -> list[Activity]:
    """Newer activity that a sweep has seen, and whose evidence may be erased meanwhile."""
    if deferral is None or deferral.known_at is None:
        return []
    return [Activity(source="seen by an earlier sweep", at=deferral.known_at)]
