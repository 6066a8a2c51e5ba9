"""The four DELETEs: an account or a transaction, all credentials or biometrics only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from retention_worker import metrics
from retention_worker.domain.access.permission import Permission
from retention_worker.domain.errors import InProgress, OnHold, RetentionWorkerError, UnknownSubject
from retention_worker.domain.request.deletion import DeletionState
from retention_worker.domain.scope import Scope
from retention_worker.service.request import deletions
from retention_worker.service.request.background import NotedRequest, TooManyErrands
from retention_worker.service.request.erase import RequestedErasure
from retention_worker.store.own.clients import Bearer
from retention_worker.web.api.answer import Reason, RequestBody
from retention_worker.web.api.bearer import REFUSALS, permitted, tenant_of
from retention_worker.web.api.deletion import Deletion, as_shown
from retention_worker.web.parts import Given, Parts
from retention_worker.web.problems import ProblemError
from retention_worker.web.responses import problems

router = APIRouter(tags=["deletions"])

# So long a client waits for its answer; what takes longer goes on without it.
_PATIENCE_SECONDS = 5.0
# Of that, for the account's lock: a batch of a sweep has it for a tenth of a second.
_LOCK_PATIENCE_MS = 4_000
_RETRY_SECONDS = "5"


class Why(RequestBody):
    """Why it is erased, for the record."""

    reason: Reason
    in_progress: bool = Field(False, description="Also transactions that have not ended.")


Remover = Annotated[Bearer, permitted(Permission.DELETE)]
BiometricsRemover = Annotated[Bearer, permitted(Permission.DELETE_BIOMETRICS, Permission.DELETE)]
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Erased: every row, and every object. Asked again, the same answer."},
    202: {"description": "Noted, and going on: rows or objects are left.", "model": Deletion},
    **problems(*REFUSALS, 404, 409, 423, 429),
}


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What all four have in common: where to ask, where the status goes, and why."""

    parts: Parts
    response: Response
    reason: str | None
    in_progress: bool


def _errand(
    parts: Given,
    response: Response,
    why: Annotated[Why | None, Body(description="Optional.")] = None,
    reason: Annotated[
        Reason | None,
        Query(description="Why, where there is no body. Default: the client's name."),
    ] = None,
    in_progress: Annotated[
        bool, Query(description="Also transactions that have not ended.")
    ] = False,
) -> Errand:
    return Errand(
        parts=parts,
        response=response,
        reason=why.reason if why else reason,
        in_progress=in_progress or bool(why and why.in_progress),
    )


Asking = Annotated[Errand, Depends(_errand)]
_PREFIX = "/api/v1/accounts/{account}"
_TRANSACTION = _PREFIX + "/workflow-executions/{transaction}"


@router.delete(_PREFIX, operation_id="deleteAccount", responses=_RESPONSES)
async def delete_account(
    account: str,
    errand: Asking,
    bearer: Remover,
) -> Deletion:
    """Erase all credentials of an account and of all its transactions."""
    return await _erase(errand, _wanted(bearer, errand, Scope.ALL, account))


@router.delete(
    _PREFIX + "/biometrics", operation_id="deleteAccountBiometrics", responses=_RESPONSES
)
async def delete_account_biometrics(
    account: str,
    errand: Asking,
    bearer: BiometricsRemover,
) -> Deletion:
    """Erase the biometrics of an account; images and everything else stay."""
    return await _erase(errand, _wanted(bearer, errand, Scope.BIOMETRICS, account))


@router.delete(_TRANSACTION, operation_id="deleteTransaction", responses=_RESPONSES)
async def delete_transaction(
    account: str,
    transaction: str,
    errand: Asking,
    bearer: Remover,
) -> Deletion:
    """Erase all credentials of a transaction; its metadata and its decision stay."""
    return await _erase(errand, _wanted(bearer, errand, Scope.ALL, account, transaction))


@router.delete(
    _TRANSACTION + "/biometrics", operation_id="deleteTransactionBiometrics", responses=_RESPONSES
)
async def delete_transaction_biometrics(
    account: str,
    transaction: str,
    errand: Asking,
    bearer: BiometricsRemover,
) -> Deletion:
    """Erase the biometrics of a transaction; images and everything else stay."""
    return await _erase(errand, _wanted(bearer, errand, Scope.BIOMETRICS, account, transaction))


def _wanted(
    bearer: Bearer, errand: Errand, scope: Scope, account: str, transaction: str | None = None
) -> RequestedErasure:
    return RequestedErasure(
        kind="account" if transaction is None else "transaction",
        subject=account if transaction is None else transaction,
        account=None if transaction is None else account,
        tenant=tenant_of(bearer),
        scope=scope,
        source="api",
        actor=bearer.client_id,
        reason=errand.reason or f"requested by API client {bearer.name}",
        in_progress=errand.in_progress,
        patience_ms=_LOCK_PATIENCE_MS,
    )


async def _erase(errand: Errand, wanted: RequestedErasure) -> Deletion:
    """Note it, wait a little for its end, and say what is."""
    parts, response = errand.parts, errand.response
    end = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    try:
        begun = await run_in_threadpool(parts.errands.begin, wanted)
        await _settle(begun, end)
    except TooManyErrands as exc:
        metrics.DELETIONS.labels(wanted.scope, "refused").inc()
        detail = "Many deletions are not finished yet: ask again when some are."
        headers = {"Retry-After": _RETRY_SECONDS}
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, detail, headers) from exc
    except RetentionWorkerError:
        metrics.DELETIONS.labels(wanted.scope, "refused").inc()
        raise
    found = await run_in_threadpool(deletions.read, parts.context, begun.tenant_id, begun.request)
    if found.state is DeletionState.REFUSED:
        raise UnknownSubject("the account is gone")
    metrics.DELETIONS.labels(wanted.scope, str(found.state)).inc()
    if found.state is DeletionState.PENDING:
        response.status_code = HTTPStatus.ACCEPTED
        response.headers["Retry-After"] = _RETRY_SECONDS
    return Deletion(**as_shown(found))


async def _settle(begun: NotedRequest, end: float) -> None:
    """Until it ended or the time is up. What stopped it is told where asking again is no help."""
    loop = asyncio.get_running_loop()
    patience = max(0.0, end - loop.time())
    done, _ = await asyncio.wait([asyncio.wrap_future(begun.end)], timeout=patience)
    error = next(iter(done)).result() if done else None
    if isinstance(error, OnHold | InProgress | UnknownSubject):
        raise error
