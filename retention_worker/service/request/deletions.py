"""Reads a deletion, and what proves it."""

from __future__ import annotations

from uuid import UUID

from retention_worker.domain.errors import UnknownSubject
from retention_worker.domain.ledger.receipt import Receipt
from retention_worker.domain.request.deletion import Deletion
from retention_worker.domain.scope import Scope
from retention_worker.service.config import load
from retention_worker.service.context import Worker
from retention_worker.service.ledger import receipts
from retention_worker.store.connection.pool import Connection, reading
from retention_worker.store.connection.session import Session
from retention_worker.store.own import deletions


def read(worker: Worker, tenant_id: str, request: int) -> Deletion:
    """The deletion of a request of the tenant, as it is now.

    Raises:
        UnknownSubject: the tenant has none.
    """
    with worker.pool.connection() as conn:
        entries = _entries(worker, conn)
        with reading(conn):
            session = Session(conn, worker.settings.schema_name)
            return _known(deletions.read(session, tenant_id, request=request, entries=entries))


def with_receipt(worker: Worker, tenant_id: str, deletion: UUID) -> tuple[Deletion, Receipt | None]:
    """A deletion of the tenant; with what the ledger has of its subject, once it has anything.

    Raises:
        UnknownSubject: the tenant has none.
        NeedsPerson: what the ledger has does not prove it.
    """
    with worker.pool.connection() as conn:
        entries = _entries(worker, conn)
        with reading(conn):
            session = Session(conn, worker.settings.schema_name)
            found = _known(deletions.read(session, tenant_id, deletion=deletion, entries=entries))
            return found, receipts.of(session, tenant_id, found.kind, found.subject)


def _entries(worker: Worker, conn: Connection) -> dict[Scope, list[str]]:
    datamap = load(worker, conn).compiled.datamap
    return {scope: [each.name for each in datamap.entries(scope)] for scope in Scope}


def _known(found: Deletion | None) -> Deletion:
    if found is None:
        raise UnknownSubject("the tenant has no such deletion")
    return found
