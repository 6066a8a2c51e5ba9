"""A deletion as the API shows it, and GET /api/v1/deletions/{deletion}: what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from retention_worker.domain.errors import UnknownSubject
from retention_worker.domain.request import deletion as domain
from retention_worker.domain.request.deletion import DeletionState
from retention_worker.domain.scope import Scope
from retention_worker.service.request import deletions
from retention_worker.web.api.answer import ResponsePart
from retention_worker.web.api.bearer import REFUSALS, Reader, tenant_of
from retention_worker.web.parts import Given
from retention_worker.web.responses import problems

router = APIRouter(tags=["deletions"])


class Objects(ResponsePart):
    """Files behind the rows: how many there were, and how many of them are not deleted yet."""

    total: int
    deleted: int
    queued: int = Field(0, description="Deleted soon.")
    denied: int = Field(0, description="The store refuses, as under an object lock.")
    failed: int = Field(0, description="A person has to look.")
    kept: int = Field(0, description="Another row names the same object.")


class Deletion(ResponsePart):
    """What was asked for, and what became of it."""

    deletion: UUID
    kind: Literal["account", "transaction"]
    account: str
    transaction: str | None
    scope: Scope = Field(description="`all` credentials, or `biometrics` only.")
    state: DeletionState = Field(description="`complete`: every row and every object is gone.")
    requested_at: datetime
    completed_at: datetime | None = Field(description="The first time; None while it is pending.")
    due_by: datetime = Field(description="One month after the request, by law.")
    rows: dict[str, int] = Field(description="Rows that are gone, by entry of the data map.")
    objects: Objects


class DeletionWithReceipt(Deletion):
    """With who asked, why, and what proves it."""

    source: str
    actor: str
    reason: str
    receipt: dict[str, Any] | None = Field(
        description="Of the account or transaction; `ledger verify --receipt` checks it offline. "
        "None until the ledger has an erasure of it."
    )


def as_shown(found: domain.DeletionRecord) -> dict[str, Any]:
    """The fields of `Deletion`."""
    left = found.objects_left
    return {
        "deletion": found.id,
        "kind": found.kind,
        "account": found.account,
        "transaction": found.subject if found.kind == "transaction" else None,
        "scope": found.scope,
        "state": found.state,
        "requested_at": found.requested_at,
        "completed_at": found.completed_at,
        "due_by": found.due_by,
        "rows": found.rows,
        "objects": Objects(
            total=found.objects,
            deleted=max(0, found.objects - sum(left.values())),
            **{state: left.get(state, 0) for state in ("queued", "denied", "failed", "kept")},
        ),
    }


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
