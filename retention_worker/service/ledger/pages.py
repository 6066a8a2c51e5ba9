"""The ledger of one tenant a page at a time, for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from retention_worker.domain.errors import UnknownSubject
from retention_worker.service.config import check_schema
from retention_worker.service.context import Context
from retention_worker.store.connection.pool import reading
from retention_worker.store.connection.session import Session
from retention_worker.store.own import pages
from retention_worker.store.own.pages import LedgerBatch, LedgerErasure

_ROWS = 50

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """Rows, and where the next page begins; None: there is none."""

    rows: tuple[T, ...]
    next: int | None


def batches(context: Context, tenant_id: str, *, before: int | None = None) -> Page[LedgerBatch]:
    """The tenant's batches, newest first."""
    with context.pool.connection() as conn:
        check_schema(context, conn)
        with reading(conn):
            session = Session(conn, context.settings.schema_name)
            found = pages.batches(session, tenant_id, before=before, limit=_ROWS + 1)
    rows = tuple(found[:_ROWS])
    return Page(rows=rows, next=rows[-1].id if len(found) > _ROWS else None)


def erased(context: Context, tenant_id: str, batch: int, *, after: int = 0) -> Page[LedgerErasure]:
    """A batch's accounts and transactions.

    Raises:
        UnknownSubject: the tenant has no such batch, or it has no more.
    """
    with context.pool.connection() as conn:
        check_schema(context, conn)
        with reading(conn):
            session = Session(conn, context.settings.schema_name)
            found = pages.erased(session, tenant_id, batch, after=after, limit=_ROWS + 1)
    if not found:
        raise UnknownSubject("the tenant has no such batch")
    rows = tuple(found[:_ROWS])
    return Page(rows=rows, next=rows[-1].id if len(found) > _ROWS else None)
