"""A tenant's data settings: the policy in effect, what its lanes do, and when the next sweep is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.triggers.cron import CronTrigger

from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.remembered import Loaded
from retention_worker.service.tenants import Tenant, looking
from retention_worker.store.connection.session import Session
from retention_worker.store.explain import explain as store
from retention_worker.store.explain.explain import Stop
from retention_worker.store.own import approvals, control


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """What is in effect for a tenant now.

    `approved` are accounts that may go without another approval. `applied_at` None: no sweep has
    applied this policy yet. `next_sweep` is when `run` sweeps next, by the schedule of this
    process.
    """

    tenant: Tenant
    credentials: Mapping[Scope, tuple[str, ...]]
    stops: Mapping[Scope, Stop]
    approved: Mapping[Scope, int]
    applied_at: datetime | None
    last_sweep: datetime | None
    next_sweep: datetime | None


def data_settings(context: Context, tenant: str) -> DataSettings:
    """Read them; a tenant without a policy has settings too: nothing is erased by retention."""
    with looking(context, tenant) as (session, loaded, found):
        policy = found.file.policy if found.file else None
        return DataSettings(
            tenant=found,
            credentials={scope: _names(loaded, scope) for scope in Scope},
            stops=store.stops(session, found.tenant_id),
            approved=_approved(session, found, context.clock()),
            applied_at=store.applied(session, found.tenant_id, policy.digest) if policy else None,
            last_sweep=control.latest_start(session),
            next_sweep=_next(context),
        )


def _names(loaded: Loaded, scope: Scope) -> tuple[str, ...]:
    return tuple(each.name for each in loaded.compiled.datamap.entries(scope))


def _approved(session: Session, tenant: Tenant, now: datetime) -> dict[Scope, int]:
    if tenant.file is None:
        return {}
    digest = tenant.file.policy.digest
    found = {s: approvals.current(session, tenant.tenant_id, s, digest, now) for s in Scope}
    return {scope: approval.remaining for scope, approval in found.items() if approval}


def _next(context: Context) -> datetime | None:
    trigger = CronTrigger.from_crontab(context.settings.schedule, timezone="UTC")
    found = trigger.get_next_fire_time(None, context.clock())
    return found.astimezone(UTC) if found else None
