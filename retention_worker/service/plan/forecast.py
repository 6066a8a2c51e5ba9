"""Forecasts what becomes due: accounts per day, tenant and scope, if none becomes active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.explain.forecast import Forecast, LaneForecast, day_ends
from retention_worker.domain.lane.lane import LaneState
from retention_worker.domain.lane.report import ReportWarning
from retention_worker.domain.scope import Scope
from retention_worker.service.checks import warnings
from retention_worker.service.config import Prepared, prepare
from retention_worker.service.context import Context
from retention_worker.service.due.cutoff import cutoff_of
from retention_worker.store.connection.pool import Connection
from retention_worker.store.connection.session import Session
from retention_worker.store.explain import forecast as store
from retention_worker.store.explain.forecast import Stretch
from retention_worker.store.mapped import accounts
from retention_worker.store.mapsql.forecast import count_by_stretch
from retention_worker.store.own import deferred, lanes

# More than any database has accounts.
_ALL = 10**12
# The index of the end that is the start: what is due up to there is due now.
_NOW = 0
_BEGINNING = datetime.min.replace(tzinfo=UTC)


def forecast(context: Context, *, tenants: Sequence[str] = (), days: int = 90) -> Forecast:
    """Count what becomes due; nothing is written, and each tenant is read by itself.

    An upper bound: counted by the account's own last activity and the deferred accounts alone.
    Credentials that are gone already, holds and newer activity elsewhere make it fewer or later.

    Args:
        tenants: names of policy files; none: all.
        days: how many, today being the first.

    Raises:
        ConfigurationError: the data map is wrong, or a tenant is unknown.
        GuardRefused: the database is a standby.
    """
    with context.pool.connection() as conn:
        prepared = prepare(context, conn, tenants)
        now = min(context.clock(), context.database_clock(conn))
        case = _ForecastInput(context, conn, prepared, now, [now, *day_ends(now, days)])
        files = [
            file for name, file in prepared.policies.files.items() if not tenants or name in tenants
        ]
        found = case.lanes(files)
        told = case.warnings(files)
    broken = {
        name: "; ".join(problems)
        for name, problems in prepared.broken().items()
        if not tenants or name in tenants
    }
    return Forecast(at=now, days=days, lanes=tuple(found), broken=broken, warnings=told)


@dataclass
class _ForecastInput:
    """`ends`: now, and the ends of the days."""

    context: Context
    conn: Connection
    prepared: Prepared
    now: datetime
    ends: list[datetime]

    def lanes(self, files: Sequence[PolicyFile]) -> list[LaneForecast]:
        self.statement = count_by_stretch(self.prepared.compiled)
        by_id = {file.policy.tenant_id: file for file in files}
        with self.context.reading(self.conn) as session:
            known = {(s.tenant_id, s.scope): s for s in lanes.of_tenants(session, by_id)}
            wanted = [
                (file, known.get((tenant, scope)) or LaneState.new(tenant, scope))
                for tenant, file in by_id.items()
                for scope in Scope
                if file.policy.period(scope) is not None
            ]
            ahead = self._ahead(session, wanted)
            waiting = deferred.counts(session, by_id)
        return [
            self._lane(
                file, state, ahead=index in ahead, again=(state.tenant_id, state.scope) in waiting
            )
            for index, (file, state) in enumerate(wanted)
        ]

    def warnings(self, files: Sequence[PolicyFile]) -> tuple[ReportWarning, ...]:
        """Whom it leaves out: accounts of no policy, activity in the future."""
        compiled, policies = self.prepared.compiled, self.prepared.policies
        skew = timedelta(seconds=self.context.settings.max_clock_skew_seconds)
        latest = warnings.latest_known(compiled.datamap, compiled.catalog, self.now, skew)
        with self.context.reading(self.conn) as session:
            return warnings.of_files(session, compiled, policies, files, latest)

    def _ahead(self, session: Session, wanted: Sequence[tuple[PolicyFile, LaneState]]) -> set[int]:
        """The lanes with an account that becomes due at all: one statement for all tenants."""
        if not wanted:
            return set()
        last = [self._cutoff(file, state.scope, self.ends[-1]) for file, state in wanted]
        states = [state for _, state in wanted]
        return accounts.due_lanes(session, self.prepared.compiled, states, last)

    def _cutoff(self, file: PolicyFile, scope: Scope, at: datetime) -> datetime:
        return cutoff_of(file, scope, at, self.context.settings.bounds) or _BEGINNING

    def _lane(
        self, file: PolicyFile, state: LaneState, *, ahead: bool, again: bool
    ) -> LaneForecast:
        """Without an account ahead of the watermark or a deferred one there is nothing to read."""
        days: dict[int, int] = {}
        on_hold = 0
        if ahead or again:
            with self.context.reading(self.conn) as session:
                days = self._count(session, file, state, ahead=ahead)
                on_hold = store.on_hold(session, state)
        due_now = days.pop(_NOW, 0)
        return LaneForecast(
            tenant=file.policy.tenant,
            scope=state.scope,
            now=due_now,
            days={self.ends[n].date(): count for n, count in sorted(days.items())},
            on_hold=on_hold,
            paused=file.policy.paused,
        )

    def _count(
        self, session: Session, file: PolicyFile, state: LaneState, *, ahead: bool
    ) -> dict[int, int]:
        """Accounts by the index of the end up to which they become due."""
        cutoffs = [self._cutoff(file, state.scope, at) for at in self.ends]
        stretches = [
            Stretch(after=after, upto=upto, low=low, high=high)
            for (after, upto), (low, high) in zip(
                pairwise(self.ends), pairwise(cutoffs), strict=True
            )
        ]
        first = Stretch(after=_BEGINNING, upto=self.now, low=_BEGINNING, high=cutoffs[0])
        found = store.again(session, state, [first, *stretches])
        if not ahead:
            return found
        compiled = self.prepared.compiled
        counted = store.ahead(session, compiled, self.statement, state, stretches)
        later = {n + 1: number for n, number in counted.items()}
        later[_NOW] = self._now(session, state, cutoffs[0])
        return {n: found.get(n, 0) + later.get(n, 0) for n in found | later}

    def _now(self, session: Session, state: LaneState, cutoff: datetime) -> int:
        compiled = self.prepared.compiled
        bound = compiled.accounts.activity.bound(cutoff)
        return accounts.count_due(
            session, compiled, state.tenant_id, bound, after=state.watermark, limit=_ALL
        )
