"""A sweep: every lane of every tenant once, and a report of what came of it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from retention_worker import __version__
from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.errors import RetentionWorkerError
from retention_worker.domain.lane.lane import DeferReason, LaneState, StopReason
from retention_worker.domain.lane.report import LaneReport, SweepReport
from retention_worker.domain.scope import Scope
from retention_worker.service.checks import warnings
from retention_worker.service.config import Prepared, prepare
from retention_worker.service.context import Context
from retention_worker.service.due.lanes_with_work import LookBack, cutoff_of, days_of, find_work
from retention_worker.service.guard import guard, holds
from retention_worker.service.guard.guard import AllowanceGuard
from retention_worker.service.guard.holdfile import require_holds
from retention_worker.service.policy.policy_applied import apply_policy
from retention_worker.service.request.erase import finish_open
from retention_worker.service.sweep.batches import Ending, Progress
from retention_worker.service.sweep.lane import LaneRun
from retention_worker.service.sweep.lane_rules import LaneRules
from retention_worker.store.connection.pool import writing
from retention_worker.store.connection.session import Session
from retention_worker.store.ledger import ledger
from retention_worker.store.mapped import accounts
from retention_worker.store.own import deferred, lanes, sweeps

_log = structlog.get_logger()


def sweep(
    context: Context,
    *,
    tenants: Sequence[str] = (),
    reconcile: bool = False,
    progress: Progress | None = None,
) -> SweepReport:
    """Erase what is due now.

    Args:
        context: the parts.
        tenants: names of policy files; none: all.
        reconcile: look through everything behind the watermarks, too.
        progress: told after each batch.

    Raises:
        ConfigurationError: the data map or a setting is wrong, or a tenant is unknown.
        GuardRefused: the clock guard, or a standby.
        DatabaseUnavailable: no connection, or lost for good. What was committed stays.
    """
    with context.pool.connection() as conn:
        prepared = prepare(context, conn, tenants)
        now = guard.start_time(conn, context.clock, context.database_clock, context.settings)
        require_holds(context, conn)
        chosen = _chosen(prepared, tenants)
        with writing(conn):
            session = Session(conn, context.settings.schema_name)
            lanes.register(session, prepared.by_tenant_id())
            number = sweeps.begin(session, now, __version__, socket.gethostname())
            astray = holds.look_after(session, prepared.compiled, now)
        unfinished = finish_open(context, conn, prepared, tenants)
    with structlog.contextvars.bound_contextvars(sweep_id=number):
        for each in astray:
            _log.warning("hold_astray", hold=each.hold.id, tenant_id=each.hold.tenant_id)
        running = _Sweep(context, prepared, number, now, reconcile, progress, unfinished, astray)
        return running.run(chosen, tenants)


def _chosen(prepared: Prepared, tenants: Sequence[str]) -> list[PolicyFile]:
    files = prepared.policies.files
    return [file for name, file in files.items() if not tenants or name in tenants]


@dataclass
class _Sweep:
    context: Context
    prepared: Prepared
    number: int
    now: datetime
    reconcile: bool
    progress: Progress | None
    unfinished: tuple[str, ...]
    astray: Sequence[holds.ListedHold]

    def run(self, chosen: list[PolicyFile], tenants: Sequence[str]) -> SweepReport:
        _log.info("sweep_started", tenants=len(chosen))
        budget = self.context.settings.time_budget
        self.until = self.context.monotonic() + budget.total_seconds() if budget else None
        endings = self._work(self._in_order(chosen))
        reports = [*self._reports(chosen, endings), *self._broken(tenants)]
        report = SweepReport(
            sweep_id=self.number,
            started_at=self.now,
            finished_at=self.context.clock(),
            lanes=tuple(reports),
            unfinished=self.unfinished,
            holds_astray=tuple(holds.in_words(each) for each in self.astray),
            warnings=self.warnings,
        )
        self._end(report)
        return report

    @property
    def latest(self) -> datetime:
        """What is later is in the future."""
        compiled = self.prepared.compiled
        skew = timedelta(seconds=self.context.settings.max_clock_skew_seconds)
        return warnings.latest_known(compiled.datamap, compiled.catalog, self.now, skew)

    def _work(
        self, order: list[tuple[PolicyFile, dict[Scope, LookBack]]]
    ) -> dict[tuple[str, Scope], Ending]:
        """Tenant after tenant, several at once where there are streams.

        Each stream takes the next tenant when it has ended one, so that a very large tenant holds
        up one stream, and the others go on past it.
        """
        endings: dict[tuple[str, Scope], Ending] = {}
        if self.context.settings.streams == 1:
            for file, due in order:
                endings |= self._tenant(file, due)
            return endings
        with ThreadPoolExecutor(self.context.settings.streams) as threads:
            # Each in a copy of what is bound here, so that its log lines have the sweep's number.
            started = [
                threads.submit(copy_context().run, self._tenant, file, due) for file, due in order
            ]
            for each in started:
                endings |= each.result()
        return endings

    def _in_order(self, chosen: list[PolicyFile]) -> list[tuple[PolicyFile, dict[Scope, LookBack]]]:
        """The tenants, least recently served first, with their lanes that have something to do."""
        files = {file.policy.tenant_id: file for file in chosen}
        with self.context.pool.connection() as conn, writing(conn):
            session = Session(conn, self.context.settings.schema_name)
            states = lanes.of_tenants(session, files)
            self._apply_policies(session, files, states)
            with_work = find_work(
                session,
                self.prepared,
                files,
                states,
                now=self.now,
                bounds=self.context.settings.bounds,
                reconcile=self.reconcile,
            )
            # A tenant that ever had something due has a watermark, so only the others are asked.
            new = {s.tenant_id for s in states} - {s.tenant_id for s in states if s.watermark}
            # All lanes together are all of them, whichever tenants were named.
            everyone = self.prepared.by_tenant_id()
            together = lanes.of_tenants(session, everyone) if len(everyone) > len(files) else states
            compiled = self.prepared.compiled
            self.empty = accounts.without_accounts(session, compiled, sorted(new))
            self.warnings = warnings.told(
                session,
                compiled,
                self.prepared.policies,
                list(files.values()),
                empty=self.empty,
                latest=self.latest,
            )
        for each in self.warnings:
            _log.warning(each.code, tenant=each.tenant, message=each.message)
        for tenant in files.keys() - self.stale:  # by now that is committed
            self.context.applied[tenant] = files[tenant].policy.digest
        self.judge = AllowanceGuard(
            compiled=self.prepared.compiled,
            settings=self.context.settings,
            days=days_of(everyone.values()),
            lanes=together,
            reserves=True,
        )
        self.waiting = {(s.tenant_id, s.scope) for s in states if s.waiting_since}
        order: dict[str, dict[Scope, LookBack]] = {}
        for state in states:
            found = order.setdefault(state.tenant_id, {})
            reach = with_work.get((state.tenant_id, state.scope))
            if reach is not None:
                found[state.scope] = reach
        return [(files[tenant], found) for tenant, found in order.items()]

    def _apply_policies(
        self, session: Session, files: dict[str, PolicyFile], states: Sequence[LaneState]
    ) -> None:
        self.stale = {
            tenant
            # In the order of their names, so that two replicas cannot deadlock.
            for tenant, digest in sorted({s.tenant_id: s.policy_digest for s in states}.items())
            if not apply_policy(self.context, session, files[tenant], digest, self.now)
        }

    def _tenant(
        self, file: PolicyFile, work: dict[Scope, LookBack]
    ) -> dict[tuple[str, Scope], Ending]:
        policy = file.policy
        endings: dict[tuple[str, Scope], Ending] = {}
        for scope in Scope:
            if policy.period(scope) is None:
                continue
            with structlog.contextvars.bound_contextvars(tenant=policy.tenant, scope=scope):
                endings[policy.tenant_id, scope] = self._lane(file, scope, work.get(scope))
        return endings

    def _lane(self, file: PolicyFile, scope: Scope, reach: LookBack | None) -> Ending:
        policy = file.policy
        if policy.tenant_id in self.stale:
            return Ending(
                stop=StopReason.STALE_POLICY,
                reason="another replica applied another policy since: "
                f"bring {file.path} up to date",
            )
        if policy.tenant_id in self.empty:
            return Ending(
                stop=StopReason.EXHAUSTED,
                reason=f"no account has the tenant {policy.tenant_id!r}: see {file.path}",
            )
        if reach is None:
            if (policy.tenant_id, scope) in self.waiting:
                self._finish(policy.tenant_id, scope, Ending(stop=StopReason.EXHAUSTED))
            return Ending(stop=StopReason.EXHAUSTED)
        if policy.paused:
            due = "; accounts are due: see `plan`"
            ending = Ending(stop=StopReason.PAUSED, reason=f"paused in {file.path}{due}")
        else:
            ending = self._run(file, scope, reach)
        self._finish(policy.tenant_id, scope, ending)
        return ending

    def _run(self, file: PolicyFile, scope: Scope, reach: LookBack) -> Ending:
        policy = file.policy
        cutoff = cutoff_of(file, scope, self.now, self.context.settings.bounds)
        assert cutoff is not None  # there is work, so there is something due
        return LaneRun(
            context=self.context,
            compiled=self.prepared.compiled,
            file=file,
            terms=LaneRules(
                sweep=self.number,
                tenant_id=policy.tenant_id,
                scope=scope,
                cutoff=cutoff,
                now=self.now,
                policy_digest=policy.digest,
                map_digest=self.prepared.map_digest(scope),
                held=holds.elsewhere(self.astray),
            ),
            reach=reach,
            judge=self.judge,
            until=self.until,
            progress=self.progress,
        ).run()

    def _finish(self, tenant_id: str, scope: Scope, ending: Ending) -> None:
        level = _log.warning if ending.stop.needs_person else _log.info
        level("lane_finished", stop_reason=ending.stop, reason=ending.reason)
        with self.context.pool.connection() as conn, writing(conn):
            session = Session(conn, self.context.settings.schema_name)
            # The tenant before the lane, as a batch takes them: otherwise two replicas deadlock.
            lanes.served(session, tenant_id, self.now)
            if ending.stop is not StopReason.BUSY:  # how it ends, the other worker says
                lanes.finish(
                    session,
                    tenant_id,
                    scope,
                    stop_reason=ending.stop,
                    reason=ending.reason,
                    now=self.now,
                )

    def _reports(
        self, chosen: list[PolicyFile], endings: dict[tuple[str, Scope], Ending]
    ) -> list[LaneReport]:
        """What the ledger says was committed, so that an answer lost on the way loses nothing."""
        with self.context.pool.connection() as conn, writing(conn):
            session = Session(conn, self.context.settings.schema_name)
            done = ledger.totals(session, self.number)
            tenants = {tenant for tenant, _ in endings}
            blocked = deferred.counts(session, tenants)
            failed = deferred.errors(session, tenants)
            kept = warnings.made_in_the_future(session, chosen, self.latest)
        for each in kept:
            _log.warning(each.code, tenant=each.tenant, message=each.message)
        self.warnings += kept
        files = {file.policy.tenant_id: file for file in chosen}
        reports = []
        for (tenant, scope), ending in endings.items():
            total = done.get((tenant, scope), ledger.LaneTotals(rows={}))
            reasons = dict(blocked.get((tenant, scope), {}))
            on_hold = reasons.pop(DeferReason.HOLD, 0)
            errors = failed.get((tenant, scope), deferred.Errors())
            if errors.accounts:
                self._warn(files[tenant], scope, errors)
            reports.append(
                LaneReport(
                    tenant=files[tenant].policy.tenant,
                    scope=scope,
                    cutoff=cutoff_of(files[tenant], scope, self.now, self.context.settings.bounds),
                    policy_digest=files[tenant].policy.digest,
                    accounts=total.accounts,
                    rows=total.rows,
                    objects_queued=total.objects,
                    deferred=sum(reasons.values()),
                    errors=errors.accounts,
                    on_hold=on_hold,
                    batches=total.batches,
                    stop_reason=ending.stop,
                    reason=ending.reason or errors.detail,
                    pace=ending.pace,
                )
            )
        return reports

    def _warn(self, file: PolicyFile, scope: Scope, errors: deferred.Errors) -> None:
        _log.warning(
            "accounts_not_erased",
            tenant=file.policy.tenant,
            scope=scope,
            accounts=errors.accounts,
            error=errors.detail,
        )

    def _broken(self, tenants: Sequence[str]) -> list[LaneReport]:
        """A file that is wrong never means delete, and never passes in silence."""
        reports = []
        for name, problems in self.prepared.broken().items():
            if tenants and name not in tenants:
                continue
            _log.warning("invalid_policy", tenant=name, problems=problems)
            reports.append(
                LaneReport(
                    tenant=name,
                    scope=None,
                    stop_reason=StopReason.INVALID_POLICY,
                    reason="; ".join(problems),
                )
            )
        return reports

    def _end(self, report: SweepReport) -> None:
        totals = {
            "accounts": sum(lane.accounts for lane in report.lanes),
            "rows": sum(sum(lane.rows.values()) for lane in report.lanes),
            "objects_queued": sum(lane.objects_queued for lane in report.lanes),
        }
        try:
            with self.context.pool.connection() as conn, writing(conn):
                session = Session(conn, self.context.settings.schema_name)
                sweeps.end(session, self.number, report.finished_at, totals)
        except RetentionWorkerError as exc:
            _log.warning("sweep_not_closed", error=str(exc))
        _log.info("sweep_finished", **totals)
