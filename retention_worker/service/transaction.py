"""Shows one transaction: what is kept of it, what is there, and what was erased when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from retention_worker.domain.credential import Credential
from retention_worker.domain.scope import Scope
from retention_worker.service import subject
from retention_worker.service.worker import Worker
from retention_worker.store import transactions
from retention_worker.store.pool import reading
from retention_worker.store.session import Session
from retention_worker.store.transactions import Erased, Shown

__all__ = ["Transaction", "show"]


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """A transaction as far as it may be shown.

    `rows`: what is there of its credentials, by entry. `erased_at`: since when all of them, or the
    biometrics, are erased; the first time counts. `objects_left`: objects that are not gone yet.
    """

    shown: Shown
    rows: Sequence[tuple[Credential, int]]
    erased_at: Mapping[Scope, datetime]
    objects_left: int


def show(worker: Worker, tenant: str, account: str, transaction: str) -> Transaction:
    """Read it; nothing is locked or written.

    Raises:
        UnknownSubject: the account of the tenant has no such transaction.
    """
    with worker.pool.connection() as conn:
        compiled, tenant_id = subject.tenant_of(worker, conn, tenant)
        with reading(conn):
            session = Session(conn, worker.settings.schema_name)
            with subject.of_another_type(transaction):
                shown = transactions.show(session, compiled, tenant_id, transaction, account)
            counts = transactions.counts(session, compiled, tenant_id, shown.owned)
            entries = {each.name: each for each in compiled.datamap.credentials}
            return Transaction(
                shown=shown,
                rows=tuple((entries[name], rows) for name, rows in counts.items()),
                erased_at=_erased_at(
                    transactions.erasures(session, tenant_id, shown.owned), shown.created_at
                ),
                objects_left=transactions.objects_left(session, tenant_id, shown.owned),
            )


def _erased_at(found: Sequence[Erased], created_at: datetime | None) -> dict[Scope, datetime]:
    """The first erasure of each scope. One of the account says nothing of later transactions."""
    first: dict[Scope, datetime] = {}
    for each in found:
        if each.kind == "account" and created_at is not None and each.erased_at < created_at:
            continue
        for scope in Scope if each.scope is Scope.ALL else (Scope.BIOMETRICS,):
            first.setdefault(scope, each.erased_at)
    return first
