"""What came of each lane of a sweep, as the ledger has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.lane.lane import DeferReason, StopReason
from retention_worker.domain.lane.report import LaneReport, ReportWarning
from retention_worker.domain.scope import Scope
from retention_worker.service.checks import warnings
from retention_worker.service.config import Prepared
from retention_worker.service.context import Context
from retention_worker.service.due.cutoff import cutoff_of
from retention_worker.service.sweep.batches import Ending
from retention_worker.service.sweep.begin import BegunSweep, Lane
from retention_worker.store.ledger import ledger
from retention_worker.store.own import deferred

_log = structlog.get_logger()


def of_lanes(
    context: Context, begun: BegunSweep, endings: Mapping[Lane, Ending]
) -> tuple[list[LaneReport], tuple[ReportWarning, ...]]:
    """What was committed, so that an answer lost on the way loses nothing; and what it warns of."""
    with context.pool.connection() as conn, context.writing(conn) as session:
        done = ledger.totals(session, begun.number)
        tenants = {tenant for tenant, _ in endings}
        blocked = deferred.counts(session, tenants)
        failed = deferred.errors(session, tenants)
        kept = warnings.made_in_the_future(session, begun.chosen, begun.latest)
    for each in kept:
        _log.warning(each.code, tenant=each.tenant, message=each.message)
    files = {file.policy.tenant_id: file for file in begun.chosen}
    reports = []
    for (tenant, scope), ending in endings.items():
        total = done.get((tenant, scope), ledger.LaneTotals(rows={}))
        reasons = dict(blocked.get((tenant, scope), {}))
        on_hold = reasons.pop(DeferReason.HOLD, 0)
        errors = failed.get((tenant, scope), deferred.Errors())
        if errors.accounts:
            _warn(files[tenant], scope, errors)
        reports.append(
            LaneReport(
                tenant=files[tenant].policy.tenant,
                scope=scope,
                cutoff=cutoff_of(files[tenant], scope, begun.now, context.settings.bounds),
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
    return reports, kept


def _warn(file: PolicyFile, scope: Scope, errors: deferred.Errors) -> None:
    _log.warning(
        "accounts_not_erased",
        tenant=file.policy.tenant,
        scope=scope,
        accounts=errors.accounts,
        error=errors.detail,
    )


def of_wrong_files(prepared: Prepared, tenants: Sequence[str]) -> list[LaneReport]:
    """A file that is wrong never means delete, and never passes in silence."""
    reports = []
    for name, problems in prepared.broken().items():
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
