"""The tenant's ledger a page at a time, and receipts to download."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from retention_worker.domain.ledger.receipt import text_of
from retention_worker.service.ledger import pages, receipts
from retention_worker.web.portal.page import PageRoute, render
from retention_worker.web.portal.visitor import Viewer

router = APIRouter(route_class=PageRoute)

_MEDIA_TYPE = "application/json"
# As the database counts.
Number = Annotated[int, Field(ge=0, lt=2**63)]


@router.get("/ledger")
def ledger(request: Request, visitor: Viewer, before: Number | None = None) -> Response:
    """The batches, newest first."""
    found = pages.batches(visitor.context, visitor.tenant, before=before)
    return render(request, "ledger", found=found, first=before is None)


@router.get("/ledger/{batch}")
def batch(request: Request, visitor: Viewer, batch: Number, after: Number = 0) -> Response:
    """The page of a batch: its accounts and transactions."""
    found = pages.erased(visitor.context, visitor.tenant, batch, after=after)
    return render(request, "batch", found=found, batch=batch)


@router.get("/receipt")
def receipt(
    visitor: Viewer,
    kind: Literal["account", "transaction"],
    id: str,
) -> Response:
    """A receipt as a file, which `ledger verify --receipt` checks without a database."""
    found = receipts.issue(visitor.context, id, tenant=visitor.tenant, kind=kind)
    return Response(
        text_of(found),
        media_type=_MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="receipt-{kind}.json"'},
    )
