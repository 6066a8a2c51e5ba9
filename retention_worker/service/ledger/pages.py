"""The ledger of one tenant a page at a time, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from retention_worker.domain.errors import UnknownSubject
from retention_worker.service.context import Context
from retention_worker.store.own import pages
from retention_worker.store.own.pages import LedgerBatch, LedgerErasure

_ROWS = 50

Row = TypeVar("Row", LedgerBatch, LedgerErasure)


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Row]):
    """Rows, and where the next page begins; None: there is none."""

    rows: tuple[Row, ...]
    next: int | None


def batches(context: Context, tenant_id: str, *, before: int | None = None) -> Page[LedgerBatch]:
    """The tenant's batches, newest first."""
    with context.reading() as session:
        found = pages.batches(session, tenant_id, before=before, limit=_ROWS + 1)
    return _page(found)


def erased(context: Context, tenant_id: str, batch: int, *, after: int = 0) -> Page[LedgerErasure]:
    """A batch's accounts and transactions.

    Raises:
        UnknownSubject: the tenant has no such batch, or it has no more.
    """
    with context.reading() as session:
        found = pages.erased(session, tenant_id, batch, after=after, limit=_ROWS + 1)
    if not found:
        raise UnknownSubject("the tenant has no such batch")
    return _page(found)


def _page(found: Sequence[Row]) -> Page[Row]:
    return Page(rows=tuple(found[:_ROWS]), next=found[_ROWS - 1].id if found[_ROWS:] else None)
