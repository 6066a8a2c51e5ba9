"""GET …/workflow-executions/{transaction}: what is kept, what is there, what was erased when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from retention_worker.domain.explain.details import TransactionShown
from retention_worker.domain.scope import CredentialClass, Scope
from retention_worker.service.explain.details import describe
from retention_worker.web.api.answer import ResponsePart
from retention_worker.web.api.bearer import REFUSALS, Reader, tenant_of
from retention_worker.web.parts import Given
from retention_worker.web.responses import problems

router = APIRouter(tags=["transactions"])

# What compares faces, and has nothing to compare with once the biometrics are erased.
_FUNCTIONS = ("matching", "lookup", "authentication", "liveness")


class CredentialShown(ResponsePart):
    """An entry of the data map: how much is there, never what."""

    name: str
    credential_class: CredentialClass = Field(alias="class")
    count: int


class Unavailable(ResponsePart):
    """What cannot work on this transaction any more, and since when."""

    since: datetime
    functions: list[str]


class WorkflowExecution(ResponsePart):
    """A transaction, as the API shows it."""

    account: str
    transaction: str
    state: str | None = Field(description="None where the data map names no state.")
    in_progress: bool
    metadata: dict[str, Any] = Field(description="The columns that the data map lets be shown.")
    decision: dict[str, Any]
    credentials: list[CredentialShown]
    wiped_out_at: datetime | None = Field(
        description="Since when all credentials are gone, objects too; null while any is there."
    )
    biometrics_wiped_out_at: datetime | None
    objects_pending: int = Field(description="Files of what was erased that are not deleted yet.")
    unavailable: Unavailable | None = Field(description="None while biometrics may be there.")


@router.get(
    "/api/v1/accounts/{account}/workflow-executions/{transaction}",
    operation_id="transaction",
    responses=problems(*REFUSALS, 404),
)
def transaction(account: str, transaction: str, parts: Given, bearer: Reader) -> WorkflowExecution:
    """A transaction's metadata and decision, which stay, and which of its credentials are there."""
    return _shown(describe(parts.context, transaction, tenant=tenant_of(bearer), account=account))


def _shown(found: TransactionShown) -> WorkflowExecution:
    since = found.complete_at(Scope.BIOMETRICS)
    return WorkflowExecution(
        account=found.account,
        transaction=found.id,
        state=found.state,
        in_progress=found.in_progress,
        metadata=dict(found.metadata),
        decision=dict(found.decision),
        credentials=[
            CredentialShown.model_validate(
                {"name": each.name, "class": each.class_, "count": each.rows}
            )
            for each in found.entries
        ],
        wiped_out_at=found.complete_at(Scope.ALL),
        biometrics_wiped_out_at=since,
        objects_pending=found.objects_pending,
        unavailable=Unavailable(since=since, functions=list(_FUNCTIONS)) if since else None,
    )
