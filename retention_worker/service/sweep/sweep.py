"""A sweep: every lane of every tenant once, and a report of what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import structlog

from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.errors import RetentionWorkerError
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.report import SweepReport
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.due.cutoff import cutoff_of
from retention_worker.service.due.lanes_with_work import LookBack
from retention_worker.service.guard import halts, holds
from retention_worker.service.sweep import reports
from retention_worker.service.sweep.batches import Ending, Progress
from retention_worker.service.sweep.begin import BegunSweep, Lane, begin
from retention_worker.service.sweep.lane import LaneRun
from retention_worker.service.sweep.lane_rules import LaneRules
from retention_worker.store.own import lanes, sweeps

_log = structlog.get_logger()


def sweep(
    context: Context,
    *,
    tenants: Sequence[str] = (),
    reconcile: bool = False,
    progress: Progress | None = None,
) -> SweepReport:
    """Erase what is due now, tenant after tenant, several at once where there are streams.

    Each stream takes the next tenant when it has ended one, so that a very large tenant holds up
    one stream, and the others go on past it.

    Args:
        tenants: names of policy files; none: all.
        reconcile: look through everything behind the watermarks, too.
        progress: told after each batch.

    Raises:
        ConfigurationError: the data map or a setting is wrong, or a tenant is unknown.
        GuardRefused: the clock guard, or a standby.
        DatabaseUnavailable: no connection, or lost for good. What was committed stays.
    """
    begun = begin(context, tenants, reconcile=reconcile)
    endings: dict[Lane, Ending] = {}
    with structlog.contextvars.bound_contextvars(sweep_id=begun.number):
        if context.settings.streams == 1:
            for file, work in begun.order:
                endings |= _tenant(context, begun, file, work, progress)
        else:
            with ThreadPoolExecutor(context.settings.streams) as threads:
                # Each in a copy of what is bound here, so that its log lines have the number.
                started = [
                    threads.submit(
                        copy_context().run, _tenant, context, begun, file, work, progress
                    )
                    for file, work in begun.order
                ]
                for each in started:
                    endings |= each.result()
        return _report(context, begun, endings, tenants)


def _tenant(
    context: Context,
    begun: BegunSweep,
    file: PolicyFile,
    work: Mapping[Scope, LookBack],
    progress: Progress | None,
) -> dict[Lane, Ending]:
    """The lanes of a tenant, one after the other, and how each ended."""
    policy = file.policy
    endings: dict[Lane, Ending] = {}
    for scope in Scope:
        if policy.period(scope) is None:
            continue
        lane = (policy.tenant_id, scope)
        with structlog.contextvars.bound_contextvars(tenant=policy.tenant, scope=scope):
            if (ending := _without_a_look(begun, file)) is not None:
                endings[lane] = ending
                continue
            look_back = work.get(scope)
            if look_back is None:
                ending = Ending(stop=StopReason.EXHAUSTED)
            elif halt := next(halts.of_people(None, file), None):  # batches ask for the pause
                ending = Ending(
                    stop=halt.stop, reason=f"{halt.reason}; accounts are due: see `plan`"
                )
            else:
                ending = _lane(
                    context, begun, file, scope, look_back=look_back, progress=progress
                ).run()
            if look_back is not None or lane in begun.waiting:
                _finish(context, begun, lane, ending)
            endings[lane] = ending
    return endings


def _without_a_look(begun: BegunSweep, file: PolicyFile) -> Ending | None:
    """How all lanes of a tenant end that must not, or need not, be looked at."""
    tenant_id = file.policy.tenant_id
    if tenant_id in begun.stale:
        return Ending(
            stop=StopReason.STALE_POLICY,
            reason=f"another replica applied another policy since: bring {file.path} up to date",
        )
    if tenant_id in begun.empty:
        return Ending(
            stop=StopReason.EXHAUSTED,
            reason=f"no account has the tenant {tenant_id!r}: see {file.path}",
        )
    return None


def _lane(
    context: Context,
    begun: BegunSweep,
    file: PolicyFile,
    scope: Scope,
    *,
    look_back: LookBack,
    progress: Progress | None,
) -> LaneRun:
    policy = file.policy
    cutoff = cutoff_of(file, scope, begun.now, context.settings.bounds)
    assert cutoff is not None  # there is work, so there is something due
    return LaneRun(
        context=context,
        compiled=begun.prepared.compiled,
        file=file,
        rules=LaneRules(
            sweep=begun.number,
            tenant_id=policy.tenant_id,
            scope=scope,
            cutoff=cutoff,
            now=begun.now,
            policy_digest=policy.digest,
            map_digest=begun.prepared.map_digest(scope),
            held=holds.elsewhere(begun.astray),
        ),
        look_back=look_back,
        guard=begun.guard,
        until=begun.until,
        progress=progress,
    )


def _finish(context: Context, begun: BegunSweep, lane: Lane, ending: Ending) -> None:
    level = _log.warning if ending.stop.needs_person else _log.info
    level("lane_finished", stop_reason=ending.stop, reason=ending.reason)
    tenant_id, scope = lane
    with context.pool.connection() as conn, context.writing(conn) as session:
        # The tenant before the lane, as a batch takes them: otherwise two replicas deadlock.
        lanes.served(session, tenant_id, begun.now)
        if ending.stop is not StopReason.BUSY:  # how it ends, the other worker says
            lanes.finish(
                session,
                tenant_id,
                scope,
                stop_reason=ending.stop,
                reason=ending.reason,
                now=begun.now,
            )


def _report(
    context: Context, begun: BegunSweep, endings: Mapping[Lane, Ending], tenants: Sequence[str]
) -> SweepReport:
    """What came of it; noted with the sweep, if the database is there."""
    of_lanes, kept = reports.of_lanes(context, begun, endings)
    report = SweepReport(
        sweep_id=begun.number,
        started_at=begun.now,
        finished_at=context.clock(),
        lanes=(*of_lanes, *reports.of_wrong_files(begun.prepared, tenants)),
        unfinished=begun.unfinished,
        holds_astray=tuple(holds.in_words(each) for each in begun.astray),
        warnings=(*begun.warnings, *kept),
    )
    totals = {
        "accounts": sum(lane.accounts for lane in report.lanes),
        "rows": sum(sum(lane.rows.values()) for lane in report.lanes),
        "objects_queued": sum(lane.objects_queued for lane in report.lanes),
    }
    try:
        with context.pool.connection() as conn, context.writing(conn) as session:
            sweeps.end(session, begun.number, report.finished_at, totals)
    except RetentionWorkerError as exc:
        _log.warning("sweep_not_closed", error=str(exc))
    _log.info("sweep_finished", **totals)
    return report
