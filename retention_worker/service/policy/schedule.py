"""The retention schedule: what is kept how long, tenant by tenant, and since when that holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.configfiles.policies import load_policies
from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.document import in_json
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.policy.policies import Applied, applied_of
from retention_worker.settings import WorkerSettings

# An order for readers: what covers everything first.
_ORDER = (Scope.ALL, Scope.BIOMETRICS)


@dataclass(frozen=True, kw_only=True)
class ScheduleLine:
    """A tenant and a scope, and how long its credentials are kept.

    `period` is None where retention never erases it. `since` is when the first of the policies
    with this period was applied, without another period in between; None where the policy was not
    applied yet or nobody asked the database.
    """

    tenant: str
    tenant_id: str
    scope: Scope
    credentials: tuple[str, ...]
    period: str | None
    since: datetime | None
    paused: bool
    digest: str = field(metadata=in_json("policy_digest"))


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """All tenants; `broken` are those whose file is wrong, with what is wrong: not swept."""

    counted_from: str
    lines: tuple[ScheduleLine, ...] = field(metadata=in_json("schedule"))
    broken: Mapping[str, tuple[str, ...]] = field(metadata=in_json("invalid"))


def schedule(settings: WorkerSettings, context: Context | None) -> Schedule:
    """Make the schedule from the files.

    Args:
        settings: the folder and the operator's bounds.
        context: to ask the database since when; None: nobody asks.

    Raises:
        FileProblemsError: the data map is wrong, or the folder cannot be read.
    """
    datamap = load_datamap(settings.config_dir).datamap
    found = load_policies(settings.config_dir, settings.bounds)
    files = list(found.files.values())
    ids = [file.policy.tenant_id for file in files]
    applied = applied_of(context, ids) if context is not None else {}
    return Schedule(
        counted_from="last activity of the account",
        lines=tuple(
            _line(file, scope, datamap, applied.get(file.policy.tenant_id, ()))
            for file in files
            for scope in _ORDER
        ),
        broken={
            tenant: tuple(
                str(problem)
                for problem in load_policies(
                    settings.config_dir, settings.bounds, only=[tenant]
                ).problems
            )
            for tenant in sorted(found.broken)
        },
    )


def _line(
    file: PolicyFile, scope: Scope, datamap: DataMap, applied: Sequence[Applied]
) -> ScheduleLine:
    policy = file.policy
    period = policy.period(scope)
    return ScheduleLine(
        tenant=policy.tenant,
        tenant_id=policy.tenant_id,
        scope=scope,
        credentials=tuple(
            entry.name for entry in datamap.credentials if scope.covers(entry.class_)
        ),
        period=str(period) if period else None,
        since=_since(applied, scope, policy.digest),
        paused=policy.paused,
        digest=policy.digest,
    )


def _since(applied: Sequence[Applied], scope: Scope, digest: str) -> datetime | None:
    """The start of the unbroken run of policies with the same period; they come newest first."""
    if not applied or applied[0].digest != digest:
        return None
    since = None
    for each in applied:
        if _period(each, scope) != _period(applied[0], scope):
            break
        since = each.applied_at
    return since


def _period(applied: Applied, scope: Scope) -> str | None:
    return applied.all_credentials if scope is Scope.ALL else applied.biometrics
