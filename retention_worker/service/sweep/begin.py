"""Begins a sweep: everything that its lanes go by is found once, before the first of them."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from retention_worker import __version__
from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.lane.lane import LaneState
from retention_worker.domain.lane.report import ReportWarning
from retention_worker.domain.scope import Scope
from retention_worker.service.checks import warnings
from retention_worker.service.config import Prepared, prepare
from retention_worker.service.context import Context
from retention_worker.service.due.cutoff import days_of
from retention_worker.service.due.lanes_with_work import LookBack, find_work
from retention_worker.service.guard import guard, holds
from retention_worker.service.guard.guard import AllowanceGuard
from retention_worker.service.guard.holdfile import require_holds
from retention_worker.service.policy.policy_applied import apply_policy
from retention_worker.service.request.erase import finish_open
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts
from retention_worker.store.own import lanes, sweeps

_log = structlog.get_logger()

Lane = tuple[str, Scope]
"""A tenant's value in the database, and a scope."""


@dataclass(frozen=True, kw_only=True)
class BegunSweep:
    """What all lanes of one sweep go by.

    Args:
        prepared: the files and the compiled map.
        number: of the sweep.
        now: its start, by which everything is due or not.
        until: the monotonic second at which its time is used up; None: it has no budget.
        chosen: the files of the tenants that are swept.
        order: those, least recently served first, each with its lanes that have work.
        guard: how many accounts a lane may erase.
        stale: tenants for which another replica has applied another policy since.
        empty: tenants without an account.
        waiting: lanes that wait for a person.
        astray: holds that lost what they hold.
        unfinished: requests that could not be finished, in words.
        latest: what is later is in the future.
        warnings: what is not as it seems.
    """

    prepared: Prepared
    number: int
    now: datetime
    until: float | None
    chosen: Sequence[PolicyFile]
    order: Sequence[tuple[PolicyFile, Mapping[Scope, LookBack]]]
    guard: AllowanceGuard
    stale: AbstractSet[str]
    empty: AbstractSet[str]
    waiting: AbstractSet[Lane]
    astray: Sequence[holds.ListedHold]
    unfinished: tuple[str, ...]
    latest: datetime
    warnings: tuple[ReportWarning, ...]


def begin(context: Context, tenants: Sequence[str], *, reconcile: bool) -> BegunSweep:
    """Read the files, ask the clock guard, finish open requests, find the lanes with work.

    Raises:
        ConfigurationError: the data map or a setting is wrong, or a tenant is unknown.
        GuardRefused: the clock guard, or a standby.
    """
    with context.pool.connection() as conn:
        prepared = prepare(context, conn, tenants)
        now = guard.start_time(conn, context.clock, context.database_clock, context.settings)
        require_holds(context, conn)
        files = prepared.policies.files
        chosen = [file for name, file in files.items() if not tenants or name in tenants]
        with context.writing(conn) as session:
            lanes.register(session, prepared.by_tenant_id())
            number = sweeps.begin(session, now, __version__, socket.gethostname())
            astray = holds.look_after(session, prepared.compiled, now)
        unfinished = finish_open(context, conn, prepared, tenants)
    with structlog.contextvars.bound_contextvars(sweep_id=number):
        for each in astray:
            _log.warning("hold_astray", hold=each.hold.id, tenant_id=each.hold.tenant_id)
        _log.info("sweep_started", tenants=len(chosen))
        return _arranged(
            context,
            prepared,
            chosen,
            number=number,
            now=now,
            astray=astray,
            unfinished=unfinished,
            reconcile=reconcile,
        )


def _arranged(
    context: Context,
    prepared: Prepared,
    chosen: Sequence[PolicyFile],
    *,
    number: int,
    now: datetime,
    astray: Sequence[holds.ListedHold],
    unfinished: tuple[str, ...],
    reconcile: bool,
) -> BegunSweep:
    settings, compiled = context.settings, prepared.compiled
    budget = settings.time_budget
    until = context.monotonic() + budget.total_seconds() if budget else None
    skew = timedelta(seconds=settings.max_clock_skew_seconds)
    latest = warnings.latest_known(compiled.datamap, compiled.catalog, now, skew)
    files = {file.policy.tenant_id: file for file in chosen}
    with context.pool.connection() as conn, context.writing(conn) as session:
        states = lanes.of_tenants(session, files)
        stale = _stale(context, session, files, states, now)
        with_work = find_work(
            session,
            prepared,
            files,
            states,
            now=now,
            bounds=settings.bounds,
            reconcile=reconcile,
        )
        # A tenant that ever had something due has a watermark, so only the others are asked.
        new = {s.tenant_id for s in states} - {s.tenant_id for s in states if s.watermark}
        # All lanes together are all of them, whichever tenants were named.
        everyone = prepared.by_tenant_id()
        together = lanes.of_tenants(session, everyone) if len(everyone) > len(files) else states
        empty = accounts.without_accounts(session, compiled, sorted(new))
        told = warnings.told(
            session, compiled, prepared.policies, chosen, empty=empty, latest=latest
        )
    for each in told:
        _log.warning(each.code, tenant=each.tenant, message=each.message)
    for tenant in files.keys() - stale:  # by now that is committed
        context.applied[tenant] = files[tenant].policy.digest
    order: dict[str, dict[Scope, LookBack]] = {}
    for state in states:
        found = order.setdefault(state.tenant_id, {})
        if (look_back := with_work.get((state.tenant_id, state.scope))) is not None:
            found[state.scope] = look_back
    return BegunSweep(
        prepared=prepared,
        number=number,
        now=now,
        until=until,
        chosen=chosen,
        order=[(files[tenant], found) for tenant, found in order.items()],
        guard=AllowanceGuard(
            compiled=compiled,
            settings=settings,
            days=days_of(everyone.values()),
            lanes=together,
            reserves=True,
        ),
        stale=stale,
        empty=empty,
        waiting={(s.tenant_id, s.scope) for s in states if s.waiting_since},
        astray=astray,
        unfinished=unfinished,
        latest=latest,
        warnings=told,
    )


def _stale(
    context: Context,
    session: Session,
    files: Mapping[str, PolicyFile],
    states: Sequence[LaneState],
    now: datetime,
) -> set[str]:
    """Apply the policies that have changed; the tenants whose file another one has overtaken."""
    return {
        tenant
        # In the order of their names, so that two replicas cannot deadlock.
        for tenant, digest in sorted({s.tenant_id: s.policy_digest for s in states}.items())
        if not apply_policy(context, session, files[tenant], digest, now)
    }
