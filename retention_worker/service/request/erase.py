"""Ad-hoc erasure: takes down who wants an account or a transaction erased, and sees to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from retention_worker.domain.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    InProgress,
    NotFinished,
    RetentionWorkerError,
    UnknownSubject,
)
from retention_worker.domain.policy.period import Period
from retention_worker.domain.scope import Scope
from retention_worker.service import subject
from retention_worker.service.config import Prepared, prepare
from retention_worker.service.context import Context
from retention_worker.service.guard.holdfile import require_holds
from retention_worker.service.request.request import ACCOUNT, DoneRequest, RequestRun, refuse_hold
from retention_worker.service.tenants import as_policies_write, tenant_id_of
from retention_worker.store.connection.keys import Key, id_text, parse_id
from retention_worker.store.connection.pool import Connection
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts, remains, transactions
from retention_worker.store.mapped.transactions import Owned
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.own import holds, requests
from retention_worker.store.own.requests import Request

_log = structlog.get_logger()

# GDPR Art. 12(3): without undue delay and in any event within one month of the request.
_TIME_TO_ANSWER = Period(months=1)
# Of transactions that have not ended; what is left out is said.
_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class RequestedErasure:
    """Who wants what erased, and why.

    `account`: a transaction must be of this one. `in_progress`: erase it though the map's state
    says that it has not ended; for an account, any of its transactions. `patience_ms`: how long to
    wait for the account.
    """

    kind: str
    subject: str
    tenant: str | None
    scope: Scope
    source: str
    actor: str
    reason: str
    account: str | None = None
    in_progress: bool = False
    patience_ms: int = 10_000


def erase(context: Context, wanted: RequestedErasure) -> DoneRequest:
    """Erase the credentials of an account or a transaction now, whatever its activity.

    Raises:
        UnknownSubject: the tenant has no such account or transaction.
        GuardRefused: the account is on hold; nothing was changed.
        NeedsPerson: it is locked for long; the request stays and `run` or `sweep` finish it.
        ConfigurationError: no tenant or reason, or the data map is wrong or unsafe.
    """
    with context.pool.connection() as conn:
        prepared = prepare(context, conn)
        found = note(context, conn, prepared, wanted)
        if isinstance(found, DoneRequest):
            return found
        return RequestRun(context, conn, prepared, found).finish()


def note(
    context: Context, conn: Connection, prepared: Prepared, wanted: RequestedErasure
) -> Request | DoneRequest:
    """Write down what is wanted, before anything goes; or say that it was erased already.

    Whatever becomes of this process, what is noted is finished by `run` or `sweep`.

    Raises:
        UnknownSubject: the tenant has no such account or transaction.
        OnHold, InProgress: nothing was noted.
        BatchTimeout: somebody has the account locked for longer than `patience_ms`.
        ConfigurationError: no tenant or reason.
    """
    if not wanted.reason.strip():
        raise ConfigurationError("the reason is empty: write why")
    require_holds(context, conn)
    single = prepared.datamap.datamap.accounts.tenant is None
    tenant_id = tenant_id_of(prepared.policies, wanted.tenant, single)
    if single and tenant_id not in prepared.by_tenant_id():
        raise UnknownSubject(f"there is no tenant {wanted.tenant!r}: leave --tenant out")
    tenant_id = as_policies_write(context, conn, prepared.compiled, prepared.policies, tenant_id)
    with context.patient(conn, wanted.patience_ms) as session:
        return _note(session, prepared.compiled, tenant_id, wanted, context.clock())


def finish_open(
    context: Context, conn: Connection, prepared: Prepared, tenants: Sequence[str]
) -> tuple[str, ...]:
    """Finish requests whose command died; why others could not be. No error of one stops others."""
    ids = [prepared.policies.files[name].policy.tenant_id for name in tenants] if tenants else None
    with context.writing(conn) as session:
        waiting = requests.opened(session, ids)
    hindered: list[str] = []
    for request in waiting:
        if context.stop.is_set():
            break
        try:
            RequestRun(context, conn, prepared, request).finish()
        except DatabaseUnavailable:
            raise
        except RetentionWorkerError as exc:
            _log.warning("request_not_finished", request=request.id, error=str(exc))
            told = isinstance(exc, NotFinished)  # it names the request itself
            hindered.append(str(exc) if told else f"request {request.id}: {exc}")
    return tuple(hindered)


def _note(
    session: Session, compiled: CompiledMap, tenant_id: str, wanted: RequestedErasure, now: datetime
) -> Request | DoneRequest:
    """Find the subject, refuse a hold, and write the request down before anything goes."""
    owned, key = _subject(session, compiled, tenant_id, wanted)
    if owned is None:
        # Who asks again and again how far it is must not keep the account's lock from the batches.
        # A transaction may have moved to another account, so its request is noted anew below.
        going_on = requests.open_of(session, tenant_id, ACCOUNT, id_text(key), wanted.scope)
        if going_on is not None:
            return going_on
    locked = subject.lock_account(session, compiled, tenant_id, key)
    if locked is None:
        raise UnknownSubject(f"tenant {tenant_id!r} has no {wanted.kind} {wanted.subject!r}")
    key = parse_id(locked.id, len(key))
    looked = accounts.look(
        session, compiled, tenant_id, wanted.scope, [key], cutoff=None, now=now, max_units=1
    )
    refuse_hold(holds.on_hold(session, compiled, tenant_id, looked, [key], now)[locked.id])
    name, subject_key = (owned.id, owned.key) if owned else (locked.id, key)
    before = requests.latest(session, tenant_id, wanted.kind, name, wanted.scope)
    if before is not None:
        known = (session, compiled, tenant_id, wanted.scope)
        left = (
            remains.of_transaction(*known, owned) if owned else remains.of_accounts(*known, [key])
        )
        if not left:
            return _again(before)
    if not wanted.in_progress:
        _refuse_in_progress(session, compiled, tenant_id, key, owned)
    return requests.add(
        session,
        tenant_id,
        kind=wanted.kind,
        subject=(name, subject_key),
        account_id=locked.id,
        scope=wanted.scope,
        source=wanted.source,
        actor=wanted.actor,
        reason=wanted.reason,
        requested_at=now,
        due_by=_TIME_TO_ANSWER.due_at(now),
    )


def _refuse_in_progress(
    session: Session, compiled: CompiledMap, tenant_id: str, key: Key, owned: Owned | None
) -> None:
    """Refuse what has not ended, unless that was asked for: the same rule whoever asks."""
    if owned is not None:
        if owned.in_progress:
            raise InProgress([owned.id], more=False)
        return
    found = transactions.in_progress(session, compiled, tenant_id, key, _MOST_NAMED + 1)
    if found:
        raise InProgress(found[:_MOST_NAMED], more=len(found) > _MOST_NAMED)


def _subject(
    session: Session, compiled: CompiledMap, tenant_id: str, wanted: RequestedErasure
) -> tuple[Owned | None, Key]:
    if wanted.kind == ACCOUNT:
        return None, parse_id(wanted.subject, compiled.id_width)
    with subject.of_another_type(wanted.subject):
        owned = transactions.find(
            session, compiled, tenant_id, wanted.subject, account=wanted.account
        )
    return owned, owned.account_key


def _again(before: Request) -> DoneRequest:
    assert before.finished_at is not None
    return DoneRequest(
        request=before.id,
        tenant_id=before.tenant_id,
        kind=before.kind,
        subject=before.subject_id,
        scope=before.scope,
        requested_at=before.requested_at,
        finished_at=before.finished_at,
        again=True,
    )
