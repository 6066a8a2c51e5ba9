"""The account page: everything explained in plain words, and legal holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import AfterValidator
from starlette.responses import Response

from retention_worker.domain.explain.explanation import Explanation
from retention_worker.domain.explain.explanation_words import in_short, sentences
from retention_worker.service.explain.details import transactions_of
from retention_worker.service.explain.explain import explain
from retention_worker.service.guard import holds
from retention_worker.service.request.consequences import hold_of
from retention_worker.web.portal.page import PageRoute, go, render
from retention_worker.web.portal.visitor import Confirmed, Supporter, Viewer, Visitor
from retention_worker.web.reason import MAX_REASON, one_line

router = APIRouter(route_class=PageRoute)

Id = Annotated[str, Form(max_length=1000)]
Reason = Annotated[str, Form(max_length=MAX_REASON), AfterValidator(one_line)]


@router.get("/account")
def account(request: Request, visitor: Viewer, id: str) -> Response:
    """Why its credentials are there, when they go, and what was erased."""
    return _page(request, visitor, id)


def _page(
    request: Request,
    visitor: Visitor,
    account_id: str,
    *,
    status: int = HTTPStatus.OK,
    wrong: str | None = None,
) -> Response:
    found = explain(visitor.context, account_id, tenant=visitor.tenant)
    return render(
        request,
        "account",
        status=status,
        wrong=wrong,
        found=found,
        sentences=sentences(found),
        short={each.entry.name: in_short(each, found.at) for each in found.entries},
        hold=hold_of(found),
        details=_details(found),
        transactions=transactions_of(visitor.context, found.account, tenant=visitor.tenant)
        if found.present
        else [],
    )


def _details(found: Explanation) -> list[str]:
    """What stands behind obstacles, each once: for support, not for the person."""
    said = [each.detail for lane in found.lanes for each in lane.obstacles if each.detail]
    return list(dict.fromkeys(said))


@router.post("/hold", dependencies=[Confirmed])
def place(
    request: Request,
    visitor: Supporter,
    id: Id = "",
    reason: Reason = "",
    until: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Place a hold, to the end of a day where one is given."""
    try:
        end = _end_of(until)
    except ValueError:
        end = visitor.context.clock()  # refused below, as a day that has passed is
    late = end is not None and end <= visitor.context.clock()
    if late or not reason:
        wrong = "The hold was not placed: write a reason, and a day that is still to come or none."
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return _page(request, visitor, id, status=status, wrong=wrong)
    placed = holds.place(
        visitor.context, id, tenant=visitor.tenant, reason=reason, actor=visitor.name, until=end
    )
    return go("account", id=placed.account)


@router.post("/release", dependencies=[Confirmed])
def release(
    request: Request,
    visitor: Supporter,
    id: Id = "",
    reason: Reason = "",
) -> Response:
    """End the account's holds."""
    if not reason:
        wrong = "The hold was not released: write a reason."
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return _page(request, visitor, id, status=status, wrong=wrong)
    holds.release(visitor.context, id, tenant=visitor.tenant, reason=reason, actor=visitor.name)
    return go("account", id=id)


def _end_of(day: str) -> datetime | None:
    """The last moment of a day in UTC; None where none was given."""
    if not day.strip():
        return None
    return datetime.combine(date.fromisoformat(day), time.max, UTC)
