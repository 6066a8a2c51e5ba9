"""Legal holds: placed under the account's lock, so that an acknowledged one is never overtaken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from retention_worker.configfiles.policies import load_policies
from retention_worker.domain.errors import ConfigurationError, UnknownSubject
from retention_worker.domain.scope import Scope
from retention_worker.service import subject
from retention_worker.service.prepare import tenant_id_of
from retention_worker.service.worker import Worker
from retention_worker.store import accounts, holds
from retention_worker.store.holds import Hold
from retention_worker.store.keys import id_text, parse_id
from retention_worker.store.migrations import check
from retention_worker.store.pool import reading, writing
from retention_worker.store.session import Session

__all__ = ["Placed", "listed", "place", "release"]


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A hold that is acknowledged; `credentials_left` False: nothing was there to keep any more."""

    id: int
    tenant_id: str
    account: str
    credentials_left: bool
    until: datetime | None


def place(
    worker: Worker,
    account: str,
    *,
    tenant: str | None,
    reason: str,
    actor: str,
    until: datetime | None,
) -> Placed:
    """Keep everything of an account until the hold ends.

    Raises:
        UnknownSubject: the tenant has no such account.
        ConfigurationError: `until` is in the past, or no tenant was named.
        BatchTimeout: the account is locked by somebody for longer than ten seconds.
    """
    now = worker.clock()
    if until is not None and until <= now:
        raise ConfigurationError("--until: the time has passed: write a later one")
    with worker.pool.connection() as conn:
        compiled, tenant_id = subject.tenant_of(worker, conn, tenant)
        key = parse_id(account, len(compiled.accounts.id_columns))
        with writing(conn):
            session = subject.patient(worker, conn)
            found = subject.lock_account(session, compiled, tenant_id, key)
            if found is None:
                raise UnknownSubject(f"tenant {tenant_id!r} has no account {account!r}")
            # As the database writes it, however the person did.
            key = parse_id(found.id, len(key))
            number = holds.place(
                session, tenant_id, found.id, reason=reason, actor=actor, now=now, until=until
            )
            left = accounts.look(
                session, compiled, tenant_id, Scope.ALL, [key], cutoff=None, now=now, max_units=1
            )[found.id]
    return Placed(
        id=number,
        tenant_id=tenant_id,
        account=found.id,
        credentials_left=left.has_biometric or left.has_other,
        until=until,
    )


def release(worker: Worker, account: str, *, tenant: str | None, reason: str, actor: str) -> int:
    """End the account's holds; the next sweep looks at it again. How many there were.

    Raises:
        UnknownSubject: the account has no active hold.
    """
    with worker.pool.connection() as conn:
        compiled, tenant_id = subject.tenant_of(worker, conn, tenant)
        key = parse_id(account, len(compiled.accounts.id_columns))
        with writing(conn):
            session = subject.patient(worker, conn)
            # Where the account itself is gone, its hold can still be ended.
            found = subject.lock_account(session, compiled, tenant_id, key)
            ended = holds.release(
                session,
                tenant_id,
                found.id if found else id_text(key),
                reason=reason,
                actor=actor,
                now=worker.clock(),
            )
    if ended == 0:
        raise UnknownSubject(f"account {account!r} of tenant {tenant_id!r} has no active hold")
    return ended


def listed(worker: Worker, tenant: str | None) -> list[Hold]:
    """The active holds of a tenant, or of all."""
    policies = load_policies(worker.settings.config_dir, worker.settings.bounds)
    tenant_id = tenant_id_of(policies, tenant, single=False) if tenant is not None else None
    with worker.pool.connection() as conn:
        check(conn, worker.settings.schema_name)
        with reading(conn):
            session = Session(conn, worker.settings.schema_name)
            return holds.listed(session, tenant_id, worker.clock())
