"""PUT and DELETE of an account's legal hold."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, Field

from retention_worker.domain.access.permission import Permission
from retention_worker.service.guard import holds
from retention_worker.store.own.clients import Bearer
from retention_worker.web.api.answer import Reason, RequestBody, ResponsePart
from retention_worker.web.api.bearer import REFUSALS, permitted, tenant_of
from retention_worker.web.api.idempotent import Once
from retention_worker.web.parts import Given, Parts
from retention_worker.web.problems import ProblemError
from retention_worker.web.responses import problems

router = APIRouter(tags=["holds"])

_PATH = "/api/v1/retention/accounts/{account}/hold"
_RESPONSES = problems(*REFUSALS, 404, 409)

Holder = Annotated[Bearer, permitted(Permission.HOLD)]


class Placing(RequestBody):
    """Why, and until when."""

    reason: Reason
    until: AwareDatetime | None = Field(None, description="None: until it is released.")


class Releasing(RequestBody):
    """Why it ends."""

    reason: Reason


class Held(ResponsePart):
    """A hold that is acknowledged: nothing of the account is erased while it lasts."""

    hold: int
    account: str
    until: datetime | None
    credentials_left: bool = Field(description="False: there was nothing to keep any more.")


class Released(ResponsePart):
    """How many holds were ended."""

    account: str
    released: int


@router.put(_PATH, operation_id="placeHold", responses=_RESPONSES)
def place(account: str, placing: Placing, parts: Given, bearer: Holder, idempotent: Once) -> Held:
    """Keep everything of an account. The same placed twice is one hold; another is a second one."""
    return idempotent.answer(bearer, placing, Held, lambda: _place(account, placing, parts, bearer))


def _place(account: str, placing: Placing, parts: Parts, bearer: Bearer) -> Held:
    until = _utc(placing.until)
    if until is not None and until <= parts.context.clock():
        detail = "body.until: the time has passed: write a later one"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    placed = holds.place(
        parts.context,
        account,
        tenant=tenant_of(bearer),
        reason=placing.reason,
        actor=bearer.client_id,
        until=until,
    )
    return Held(
        hold=placed.id,
        account=placed.account,
        until=placed.until,
        credentials_left=placed.credentials_left,
    )


@router.delete(_PATH, operation_id="releaseHold", responses=problems(*REFUSALS, 404))
def release(account: str, releasing: Releasing, parts: Given, bearer: Holder) -> Released:
    """End the account's holds; the next sweep looks at it again."""
    ended = holds.release(
        parts.context,
        account,
        tenant=tenant_of(bearer),
        reason=releasing.reason,
        actor=bearer.client_id,
    )
    return Released(account=account, released=ended)


def _utc(moment: datetime | None) -> datetime | None:
    try:
        return moment.astimezone(UTC) if moment else None
    except OverflowError:
        detail = "body.until: no calendar has this time in UTC"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None
