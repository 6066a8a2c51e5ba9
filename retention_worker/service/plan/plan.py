"""What a sweep would erase now, by the sweep's own predicate, without a lock or a write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from retention_worker.configfiles.policy_file import PolicyFile, load_policy_file
from retention_worker.domain.instant import stamp
from retention_worker.domain.lane.allowance import Allowance
from retention_worker.domain.lane.lane import DeferReason, LaneState, StopReason
from retention_worker.domain.lane.report import LanePlan, PlanReport
from retention_worker.domain.lane.shown import ShownAccounts
from retention_worker.domain.ledger.erasure import is_later
from retention_worker.domain.scope import CredentialClass, Scope
from retention_worker.service.checks import warnings
from retention_worker.service.config import Prepared, prepare
from retention_worker.service.context import Context
from retention_worker.service.due import reconcile
from retention_worker.service.due.cutoff import cutoff_of, days_of
from retention_worker.service.due.lanes_with_work import LookBack, find_work
from retention_worker.service.due.survey import LaneView, count_up_to, eligible
from retention_worker.service.guard import guard, halts, holds
from retention_worker.service.guard.holdfile import require_holds
from retention_worker.service.policy.policy_applied import due_sooner
from retention_worker.store.connection.keys import Key, id_text
from retention_worker.store.connection.pool import Connection
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import credentials
from retention_worker.store.mapped.accounts import Found
from retention_worker.store.own import approvals, control, deferred, lanes

_LaneKey = tuple[str, Scope]


def plan(
    context: Context,
    *,
    tenants: Sequence[str] = (),
    at: datetime | None = None,
    policy_file: Path | None = None,
) -> PlanReport:
    """Count what a sweep at an instant would erase; each lane in a READ ONLY transaction.

    Args:
        tenants: names of policy files; none: all.
        at: the instant, aware; now where it is None.
        policy_file: a policy to try instead of the tenant's own.

    Raises:
        ConfigurationError: the data map or a policy is wrong, or a tenant is unknown.
        GuardRefused: the clock guard, or a standby.
    """
    with context.pool.connection() as conn:
        tried = load_policy_file(policy_file, context.settings.bounds) if policy_file else None
        prepared = prepare(context, conn, tenants)
        now = at or guard.start_time(conn, context.clock, context.database_clock, context.settings)
        require_holds(context, conn)
        files = dict(prepared.policies.files)
        if tried is not None:
            files = {tried.policy.tenant: tried}
        chosen = [file for name, file in files.items() if not tenants or name in tenants]
        states, work = _work(context, conn, prepared, chosen, now)
        everyone = {f.policy.tenant_id: f for f in (*prepared.policies.files.values(), *chosen)}
        with context.reading(conn) as session:
            together = _states(session, everyone)
        judge = guard.AllowanceGuard(
            compiled=prepared.compiled,
            settings=context.settings,
            days=days_of(everyone.values()),
            lanes=list(together.values()),
        )
        found: list[LanePlan] = []
        ahead: set[str] = set()
        compiled = prepared.compiled
        skew = timedelta(seconds=context.settings.max_clock_skew_seconds)
        latest = warnings.latest_known(compiled.datamap, compiled.catalog, now, skew)
        for file in _in_order(chosen, states):
            found += _Tenant(
                context, conn, prepared, file, now, states, work, judge, ahead, latest
            ).plans()
        broken = [
            LanePlan(
                tenant=name,
                scope=None,
                stop_reason=StopReason.INVALID_POLICY,
                reason="; ".join(problems),
            )
            for name, problems in prepared.broken().items()
            if tried is None and (not tenants or name in tenants)
        ]
        with context.reading(conn) as session:
            told = warnings.of_files(session, compiled, prepared.policies, chosen, latest)
            told += warnings.made_in_the_future(session, chosen, latest, ahead)
            astray = holds.astray(session, prepared.compiled, now)
    return PlanReport(
        at=now,
        lanes=(*found, *broken),
        warnings=told,
        holds_astray=tuple(holds.in_words(each) for each in astray),
    )


def _work(
    context: Context,
    conn: Connection,
    prepared: Prepared,
    chosen: Sequence[PolicyFile],
    now: datetime,
) -> tuple[dict[_LaneKey, LaneState], dict[_LaneKey, LookBack]]:
    """The lanes' rows, as they would be registered, and what a sweep would find to do."""
    files = {file.policy.tenant_id: file for file in chosen}
    with context.reading(conn) as session:
        states = _states(session, files)
        work = find_work(
            session,
            prepared,
            files,
            list(states.values()),
            now=now,
            bounds=context.settings.bounds,
            reconcile=False,
        )
    return states, work


def _states(session: Session, tenant_ids: Iterable[str]) -> dict[_LaneKey, LaneState]:
    wanted = list(tenant_ids)
    states = {(s.tenant_id, s.scope): s for s in lanes.of_tenants(session, wanted)}
    for tenant in wanted:
        for scope in Scope:
            states.setdefault((tenant, scope), LaneState.new(tenant, scope))
    return states


def _in_order(chosen: Sequence[PolicyFile], states: dict[_LaneKey, LaneState]) -> list[PolicyFile]:
    """The tenants in the order in which a sweep would serve them."""
    files = {file.policy.tenant_id: file for file in chosen}
    return [files[tenant] for tenant in dict.fromkeys(tenant for tenant, _ in states)]


@dataclass
class _Tenant:
    """A tenant's lanes, in the sweep's order, because the second finds what the first left."""

    context: Context
    conn: Connection
    prepared: Prepared
    file: PolicyFile
    now: datetime
    states: dict[_LaneKey, LaneState]
    work: dict[_LaneKey, LookBack]
    judge: guard.AllowanceGuard
    ahead: set[str]
    latest: datetime
    _gone: set[str] = field(default_factory=set)

    def plans(self) -> list[LanePlan]:
        return [self._lane(scope) for scope in Scope if self.file.policy.period(scope) is not None]

    def _lane(self, scope: Scope) -> LanePlan:
        policy = self.file.policy
        look_back = self.work.get((policy.tenant_id, scope))
        cutoff = cutoff_of(self.file, scope, self.now, self.context.settings.bounds)
        empty = LanePlan(
            tenant=policy.tenant,
            scope=scope,
            cutoff=cutoff,
            policy_digest=policy.digest,
            place=self.states[policy.tenant_id, scope].place,
        )
        if look_back is None or cutoff is None:
            with self.context.reading(self.conn) as session:
                return self._kept_back(session, empty, scope, {})
        survey = self._survey(scope, cutoff, look_back)
        with self.context.reading(self.conn) as session:
            stop, reason = self._stop(session, self._as_applied(session, survey))
            counted = self._count(session, survey)
            kept = self._kept_back(session, empty, scope, survey.lost)
        if any(is_later(at, stamp(self.latest)) for at in survey.kept_until):
            self.ahead.add(policy.tenant_id)
        if stop is None and scope is Scope.BIOMETRICS:
            self._gone = counted.overlap
        return replace(
            kept,
            due=counted.due,
            rows=counted.rows,
            objects_queued=counted.objects,
            shown=ShownAccounts.of(counted.accounts) if stop is StopReason.WAITING else None,
            stop_reason=stop,
            reason=reason or kept.reason,
        )

    def _kept_back(
        self, session: Session, lane: LanePlan, scope: Scope, lost: Mapping[str, str]
    ) -> LanePlan:
        """What a sweep would say is deferred, failed and on hold; `lost` it has not noted yet."""
        tenant = self.file.policy.tenant_id
        reasons = dict(deferred.counts(session, [tenant]).get((tenant, scope), {}))
        on_hold = reasons.pop(DeferReason.HOLD, 0)
        none = deferred.Errors()
        noted = deferred.errors(session, [tenant]).get((tenant, scope), none)
        others = deferred.errors(session, [tenant], lost).get((tenant, scope), none)
        errors = others.accounts + len(lost)
        return replace(
            lane,
            deferred=sum(reasons.values()) - noted.accounts + errors,
            errors=errors,
            on_hold=on_hold,
            reason=next(iter(lost.values()), noted.detail),
        )

    def _survey(self, scope: Scope, cutoff: datetime, look_back: LookBack) -> LaneView:
        """The lane, with what a sweep would find behind the watermark."""
        state = self.states[self.file.policy.tenant_id, scope]
        keys: tuple[Key, ...] = ()
        if look_back is not LookBack.NOTHING and state.watermark is not None:
            keys, _ = reconcile.scan(
                self.conn,
                self.context.settings.schema_name,
                self.prepared.compiled,
                state,
                now=self.now,
                full=look_back is LookBack.EVERYTHING,
                map_digest=self.prepared.map_digest(scope),
            )
        return LaneView(
            compiled=self.prepared.compiled, lane=state, cutoff=cutoff, now=self.now, behind=keys
        )

    def _as_applied(self, session: Session, survey: LaneView) -> LaneView:
        """The lane as a sweep would judge it, which applies a changed policy first."""
        policy, lane = self.file.policy, survey.lane
        if lane.policy_digest == policy.digest or lane.scope not in due_sooner(session, policy):
            return survey
        least: float = self.context.settings.guard_min_accounts
        if lane.allowance is not None:
            least = min(least, lane.allowance.accounts)
        clamped = replace(lane, allowance=Allowance(accounts=least, at=self.now))
        return replace(survey, lane=clamped)

    def _stop(self, session: Session, survey: LaneView) -> tuple[StopReason | None, str | None]:
        """Why a sweep would leave the lane alone."""
        policy, lane = self.file.policy, survey.lane
        for halt in (
            *halts.of_people(control.paused(session, self.now), self.file),
            *halts.of_operator(self.context.settings, self.now),
        ):
            return halt.stop, halt.reason
        gone = 0
        approval = approvals.current(session, lane.tenant_id, lane.scope, policy.digest, self.now)
        if approval is not None and not self.judge.is_off:
            approved = replace(
                survey, cutoff=min(survey.cutoff, approval.cutoff), shown=approval.shown
            )
            verdict = self.judge.lane(session, approved, approval)
            if verdict.reason is not None:
                return StopReason.WAITING, verdict.reason
            gone = count_up_to(session, approved, verdict.permit)
        verdict = self.judge.lane(session, survey, None, gone=gone)
        if verdict.reason is not None:
            return StopReason.WAITING, verdict.reason
        if verdict.total is not None:
            self.judge.planned += verdict.permit
        return None, None

    def _count(self, session: Session, survey: LaneView) -> _Counted:
        counted = _Counted()
        for page in eligible(session, survey):
            counted.accounts += [found.id for _, found in page]
            self._count_page(session, survey, page, counted)
        return counted

    def _count_page(
        self,
        session: Session,
        survey: LaneView,
        page: list[tuple[Key, Found]],
        counted: _Counted,
    ) -> None:
        """The biometrics that the tenant's first lane takes are not there for the second."""
        tenant, compiled = survey.lane.tenant_id, survey.compiled
        both = [CredentialClass.BIOMETRIC, CredentialClass.OTHER]
        if survey.lane.scope is Scope.BIOMETRICS:
            keys = [key for key, _ in page]
            counted.add(
                len(keys),
                credentials.count(session, compiled, [CredentialClass.BIOMETRIC], tenant, keys),
            )
            if self.file.policy.all_credentials is not None:
                counted.overlap |= {id_text(key) for key in keys}
            return
        first = [(key, found) for key, found in page if found.id in self._gone]
        keys = [key for key, found in first if found.has_other]
        counted.add(
            len(keys), credentials.count(session, compiled, [CredentialClass.OTHER], tenant, keys)
        )
        keys = [key for key, found in page if found.id not in self._gone]
        counted.add(len(keys), credentials.count(session, compiled, both, tenant, keys))


@dataclass
class _Counted:
    due: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    accounts: list[str] = field(default_factory=list)
    overlap: set[str] = field(default_factory=set)

    def add(self, due: int, counts: credentials.Counts) -> None:
        self.due += due
        self.objects += counts.objects
        for name, number in counts.rows.items():
            self.rows[name] = self.rows.get(name, 0) + number
