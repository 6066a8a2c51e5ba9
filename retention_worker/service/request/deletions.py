"""Reads a deletion, and what proves it."""

from __future__ import annotations

from uuid import UUID

from retention_worker.domain.errors import UnknownSubject
from retention_worker.domain.ledger.receipt import Receipt
from retention_worker.domain.request.deletion import DeletionRecord
from retention_worker.domain.scope import Scope
from retention_worker.service.config import load
from retention_worker.service.context import Context
from retention_worker.service.ledger import receipts
from retention_worker.store.connection.pool import Connection
from retention_worker.store.own import deletions


def read(context: Context, tenant_id: str, request: int) -> DeletionRecord:
    """The deletion of a request of the tenant, as it is now.

    Raises:
        UnknownSubject: the tenant has none.
    """
    with context.pool.connection() as conn:
        entries = _entries(context, conn)
        with context.reading(conn) as session:
            return _known(deletions.read(session, tenant_id, request=request, entries=entries))


def named(context: Context, tenant_id: str, deletion: UUID) -> DeletionRecord:
    """A deletion of the tenant, by its public name.

    Raises:
        UnknownSubject: the tenant has none.
    """
    with context.pool.connection() as conn:
        entries = _entries(context, conn)
        with context.reading(conn) as session:
            return _known(deletions.read(session, tenant_id, deletion=deletion, entries=entries))


def with_receipt(
    context: Context, tenant_id: str, deletion: UUID
) -> tuple[DeletionRecord, Receipt | None]:
    """A deletion of the tenant; with what the ledger has of its subject, once it has anything.

    Raises:
        UnknownSubject: the tenant has none.
        NeedsPerson: what the ledger has does not prove it.
    """
    with context.pool.connection() as conn:
        entries = _entries(context, conn)
        with context.reading(conn) as session:
            found = _known(deletions.read(session, tenant_id, deletion=deletion, entries=entries))
            return found, receipts.of(session, tenant_id, found.kind, found.subject)


def _entries(context: Context, conn: Connection) -> dict[Scope, list[str]]:
    datamap = load(context, conn).compiled.datamap
    return {scope: [each.name for each in datamap.entries(scope)] for scope in Scope}


def _known(found: DeletionRecord | None) -> DeletionRecord:
    if found is None:
        raise UnknownSubject("the tenant has no such deletion")
    return found
