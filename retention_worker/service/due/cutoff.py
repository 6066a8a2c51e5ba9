"""The cutoff: the latest last activity that is due by now. One rule, for whatever asks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.policy.policy import PolicyBounds
from retention_worker.domain.scope import Scope


def cutoff_of(
    file: PolicyFile, scope: Scope, now: datetime, bounds: PolicyBounds
) -> datetime | None:
    """The latest activity that is due, under a policy that is within the operator's bounds.

    Raises:
        ConfigurationError: it is not.
    """
    bounds.require(file.policy)
    period = file.policy.period(scope)
    return period.cutoff(now) if period else None


def days_of(files: Iterable[PolicyFile]) -> dict[tuple[str, Scope], int]:
    """The longest length of each lane's period; a lane without one is not in it."""
    return {
        (file.policy.tenant_id, scope): period.longest_days
        for file in files
        for scope in Scope
        if (period := file.policy.period(scope)) is not None
    }
