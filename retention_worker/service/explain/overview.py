"""A tenant at a glance: what is due and overdue, kept back, pending and open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.lane.lane import DeferReason, LaneState
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.due.cutoff import cutoff_of
from retention_worker.service.guard import holds as hold_service
from retention_worker.service.tenants import Tenant, looking
from retention_worker.store.connection.session import Session
from retention_worker.store.explain.explain import Stop, stops
from retention_worker.store.mapped import accounts
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.own import control, deferred, holds, lanes, pages
from retention_worker.store.own.pages import UnfinishedRequest

# Counted no further: who has more than that overdue needs no exact number.
MOST_COUNTED = 1_000


@dataclass(frozen=True, kw_only=True)
class LaneAtAGlance:
    """A scope of the tenant, as the first page of the portal shows it.

    `due` and `overdue` are accounts ahead of the watermark, at most `MOST_COUNTED`: an upper bound,
    as in a forecast. `deferred` are due ones that are looked at again later, by reason.
    """

    scope: Scope
    period: str | None
    due: int
    overdue: int
    deferred: Mapping[DeferReason, int]
    stop: Stop | None

    @property
    def waits(self) -> bool:
        """Whether it waits for an approval."""
        return self.stop is not None and self.stop.waiting_since is not None


@dataclass(frozen=True, kw_only=True)
class Overview:
    """A tenant now; `objects` of erased rows that are not deleted, by state.

    `holds_astray`: holds of the tenant that lost what they hold.
    """

    tenant: Tenant
    at: datetime
    lanes: tuple[LaneAtAGlance, ...]
    holds: int
    holds_astray: int
    objects: Mapping[str, int]
    requests: tuple[UnfinishedRequest, ...]
    paused: str | None
    last_sweep: datetime | None


def overview(context: Context, tenant: str | None) -> Overview:
    """Look; nothing is written."""
    with looking(context, tenant) as (session, loaded, who):
        now = min(context.clock(), context.database_clock(session.conn))
        pause = control.paused(session, now)
        astray = hold_service.astray(session, loaded.compiled, now)
        case = _TenantOverview(context, session, loaded.compiled, who, now)
        return Overview(
            tenant=who,
            at=now,
            lanes=case.lanes(),
            holds=len(holds.listed(session, who.tenant_id, now)),
            holds_astray=sum(each.hold.tenant_id == who.tenant_id for each in astray),
            objects=pages.objects(session, who.tenant_id),
            requests=tuple(pages.requests(session, who.tenant_id)),
            paused=pause.reason if pause else None,
            last_sweep=control.latest_start(session),
        )


@dataclass
class _TenantOverview:
    context: Context
    session: Session
    compiled: CompiledMap
    tenant: Tenant
    now: datetime

    def lanes(self) -> tuple[LaneAtAGlance, ...]:
        tenant_id = self.tenant.tenant_id
        states = {each.scope: each for each in lanes.of_tenants(self.session, [tenant_id])}
        ended = stops(self.session, tenant_id)
        kept = deferred.counts(self.session, [tenant_id])
        found = []
        for scope in Scope:
            state = states.get(scope) or LaneState.new(tenant_id, scope)
            file = self.tenant.file
            period = file.policy.period(scope) if file else None
            due, overdue = self._counts(file, state) if file and period else (0, 0)
            found.append(
                LaneAtAGlance(
                    scope=scope,
                    period=str(period) if period else None,
                    due=due,
                    overdue=overdue,
                    deferred=kept.get((tenant_id, scope), {}),
                    stop=ended.get(scope),
                )
            )
        return tuple(found)

    def _counts(self, file: PolicyFile, state: LaneState) -> tuple[int, int]:
        late = self.now - self.context.settings.overdue_after
        return self._due(file, state, self.now), self._due(file, state, late)

    def _due(self, file: PolicyFile, state: LaneState, at: datetime) -> int:
        cutoff = cutoff_of(file, state.scope, at, self.context.settings.bounds)
        if cutoff is None:
            return 0
        bound = self.compiled.accounts.activity.bound(cutoff)
        return accounts.count_due(
            self.session,
            self.compiled,
            state.tenant_id,
            bound,
            after=state.watermark,
            limit=MOST_COUNTED,
        )
