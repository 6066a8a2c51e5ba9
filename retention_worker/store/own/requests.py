"""Requests: ad-hoc erasures that were asked for, and the chain that they make."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retention_worker.domain.scope import Scope
from retention_worker.store.connection.answers import of_row
from retention_worker.store.connection.keys import Key, Part
from retention_worker.store.connection.session import Session


@dataclass(frozen=True, kw_only=True)
class Request:
    """An ad-hoc erasure; `done` is how far a large account was erased.

    `not_after`: refused where the account was active later; None: whatever its activity.
    """

    id: int
    tenant_id: str
    kind: str
    subject_id: str
    subject_key: Key
    account_id: str
    scope: Scope
    source: str
    actor: str
    reason: str
    requested_at: datetime
    due_by: datetime
    state: str
    done: Part | None
    finished_at: datetime | None
    not_after: datetime | None


def add(  # noqa: PLR0913 - the columns of one row
    session: Session,
    tenant_id: str,
    *,
    kind: str,
    subject: tuple[str, Key],
    account_id: str,
    scope: Scope,
    source: str,
    actor: str,
    reason: str,
    requested_at: datetime,
    due_by: datetime,
    not_after: datetime | None = None,
) -> Request:
    """Note a request; where the same one is open already, that one comes back."""
    row = session.row(
        "requests.add",
        {
            "tenant": tenant_id,
            "kind": kind,
            "subject": subject[0],
            "key": list(subject[1]),
            "account": account_id,
            "scope": scope,
            "source": source,
            "actor": actor,
            "reason": reason,
            "now": requested_at,
            "due_by": due_by,
            "not_after": not_after,
        },
    )
    assert row is not None
    return _request(row)


def latest(
    session: Session, tenant_id: str, kind: str, subject_id: str, scope: Scope
) -> Request | None:
    """The newest request for a subject that is done."""
    row = session.row(
        "requests.latest",
        {"tenant": tenant_id, "kind": kind, "subject": subject_id, "scope": scope},
    )
    return _request(row) if row else None


def open_of(
    session: Session, tenant_id: str, kind: str, subject_id: str, scope: Scope
) -> Request | None:
    """The request for a subject that is open already, read without a lock."""
    row = session.row(
        "requests.open_of",
        {"tenant": tenant_id, "kind": kind, "subject": subject_id, "scope": scope},
    )
    return _request(row) if row else None


def opened(session: Session, tenant_ids: Sequence[str] | None) -> list[Request]:
    """The open requests, of tenants or of all, the oldest first."""
    rows = session.rows(
        "requests.opened", {"tenants": list(tenant_ids) if tenant_ids is not None else None}
    )
    return [_request(row) for row in rows]


def lock(session: Session, request: int) -> Request | None:
    """The request, if it is still open, locked for this transaction."""
    row = session.row("requests.lock", {"request": request})
    return _request(row) if row else None


def set_progress(
    session: Session, request: int, done: Part | None, detail: str | None = None
) -> None:
    """Note how far a large account was erased (None: from the start again), and what hinders."""
    progress = None
    if done is not None:
        progress = json.dumps({"name": done.name, "upto": list(done.upto) if done.upto else None})
    session.run(
        "requests.set_progress", {"request": request, "progress": progress, "detail": detail}
    )


def finish(session: Session, request: int, state: str, detail: str | None, now: datetime) -> None:
    """Note that it is done, or refused and why."""
    session.run(
        "requests.finish", {"request": request, "state": state, "detail": detail, "now": now}
    )


def lock_chain(session: Session, tenant_id: str) -> str | None:
    """The hash of the chain's head; nobody else adds to the chain until the transaction ends."""
    session.run("requests.make_chain", {"tenant": tenant_id})
    head = session.value("requests.lock_chain", {"tenant": tenant_id})
    assert head is None or isinstance(head, str)
    return head


def set_chain_head(session: Session, tenant_id: str, batch: int, head: str) -> None:
    """Make a batch the head of the tenant's chain of ad-hoc erasures."""
    session.run("requests.set_chain_head", {"tenant": tenant_id, "batch": batch, "hash": head})


def _request(row: dict[str, Any]) -> Request:
    progress = row["progress"]
    done = None
    if progress is not None:
        upto = progress["upto"]
        done = Part(name=progress["name"], after=None, upto=tuple(upto) if upto else None)
    key, scope = tuple(row["subject_key"]), Scope(row["scope"])
    return of_row(Request, row, subject_key=key, scope=scope, done=done)
