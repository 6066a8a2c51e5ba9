"""GET /api/v1/deletions/{deletion}: what became of it, and its receipt."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from retention_worker.domain.access.permission import Permission
from retention_worker.domain.errors import UnknownSubject
from retention_worker.service.request import deletions
from retention_worker.store.own.clients import Bearer
from retention_worker.web.api.bearer import REFUSALS, permitted, tenant_of
from retention_worker.web.api.deletion import DeletionWithReceipt, as_shown
from retention_worker.web.parts import Given
from retention_worker.web.responses import problems

router = APIRouter(tags=["deletions"])

Reader = Annotated[Bearer, permitted(Permission.RETRIEVE)]


@router.get(
    "/api/v1/deletions/{deletion}", operation_id="deletion", responses=problems(*REFUSALS, 404)
)
def deletion(deletion: str, parts: Given, bearer: Reader) -> DeletionWithReceipt:
    """What became of a deletion; its receipt proves it without this service."""
    try:
        wanted = UUID(deletion)
    except ValueError:
        raise UnknownSubject("no deletion has such a name") from None
    found, receipt = deletions.with_receipt(parts.context, tenant_of(bearer), wanted)
    return DeletionWithReceipt(
        **as_shown(found),
        source=found.source,
        actor=found.actor,
        reason=found.reason,
        receipt=receipt.to_json() if receipt else None,
    )
