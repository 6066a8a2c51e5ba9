"""What becomes of an account that was locked and looked at: a pure rule."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from retention_worker.domain.lane.lane import DeferReason
from retention_worker.domain.scope import Scope
from retention_worker.store.connection.keys import Key
from retention_worker.store.mapped.accounts import Found
from retention_worker.store.mapped.remains import Remains, unreachable
from retention_worker.store.own.deferred import Deferred

# A lock or a time-out passes soon; an error is looked at again, but not in every sweep for ever.
_FIRST_RETRY = timedelta(minutes=1)
_LAST_RETRY = timedelta(hours=6)


def has_credentials(found: Found, scope: Scope) -> bool:
    """Whether anything of the scope is still there."""
    return found.has_biometric or (scope is Scope.ALL and found.has_other)


def still_there(left: Iterable[Remains]) -> str:
    """What a sweep and a request say where the independent look finds something afterwards."""
    found = list(left)
    names = ", ".join(f"{each.entry} ({each.rows})" for each in found)
    return unreachable(found) or (
        f"rows that were erased are still there: {names}: a trigger or a rule keeps them: "
        "run doctor"
    )


def block(key: Key, found: Found) -> Deferred | None:
    """What keeps the account from being erased now, or None.

    A hold wins over everything. Newer activity, or a newer credential, is compared with the
    cutoff of the sweep that looks again, so it travels as the time that it is.
    """
    if found.hold is not None:
        until = None if found.hold == "infinity" else found.hold
        return Deferred(key=key, reason=DeferReason.HOLD, retry_at=until)
    if found.newer_activity is not None:
        return Deferred(key=key, reason=DeferReason.NEWER_ACTIVITY, active_at=found.newer_activity)
    if found.credential_is_newer:
        return Deferred(
            key=key, reason=DeferReason.NEWER_CREDENTIAL, active_at=found.newest_credential
        )
    return None


def retry_time(now: datetime, attempts: int) -> str:
    """When an account that could not be erased is tried again: later each time, within bounds."""
    delay: timedelta = min(_FIRST_RETRY * 2 ** min(attempts, 12), _LAST_RETRY)
    return (now + delay).isoformat()
