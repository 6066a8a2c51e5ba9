"""Deletes: what would go and stay, the confirmation, and what became of it."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from retention_worker.domain.datamap.datamap import TRANSACTION
from retention_worker.domain.errors import NeedsPerson, OnHold, UnknownSubject
from retention_worker.domain.request.deletion import DeletionRecord, DeletionState
from retention_worker.domain.scope import Scope
from retention_worker.service.explain.details import describe
from retention_worker.service.explain.explain import explain
from retention_worker.service.request import deletions
from retention_worker.service.request.background import Errands
from retention_worker.service.request.consequences import Consequences, consequences
from retention_worker.service.request.erase import RequestedErasure
from retention_worker.web.parts import Given
from retention_worker.web.portal.account import Id, Reason
from retention_worker.web.portal.page import PageRoute, go, render
from retention_worker.web.portal.visitor import Confirmed, Supporter, Viewer, Visitor

router = APIRouter(route_class=PageRoute)

Kind = Literal["account", "transaction"]
# Longer than nearly every deletion takes, and short for a person who looks at a page.
_PATIENCE_SECONDS = 5.0


@router.get("/delete")
def ask(
    request: Request,
    visitor: Supporter,
    kind: Kind,
    id: str,
    scope: Scope,
) -> Response:
    """Say exactly what goes and what stays, and ask for the reason and the id."""
    found = consequences(visitor.context, kind, id, scope, tenant=visitor.tenant)
    return render(request, "delete", found=found, wrong=[], reason="")


@router.post("/delete", dependencies=[Confirmed])
def delete(  # noqa: PLR0913, PLR0917 - the fields of a form
    request: Request,
    parts: Given,
    visitor: Supporter,
    kind: Annotated[Kind, Form()],
    scope: Annotated[Scope, Form()],
    id: Id = "",
    typed: Id = "",
    reason: Reason = "",
    in_progress: Annotated[bool, Form()] = False,
) -> Response:
    """Erase, and show what became of it."""
    found = consequences(visitor.context, kind, id, scope, tenant=visitor.tenant)
    wrong = _wrong(found, typed, reason)
    if found.in_progress and not in_progress:
        wrong.append(("in_progress", "Say that what has not ended is to be deleted too."))
    if wrong:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return render(request, "delete", status=status, found=found, wrong=wrong, reason=reason)
    return go(f"deletion/{_begin(parts.errands, visitor, found, reason, in_progress)}")


def _wrong(found: Consequences, typed: str, reason: str) -> list[tuple[str, str]]:
    """What is missing or wrong in the form, by the field."""
    wrong = []
    if not reason:
        wrong.append(("reason", "Write why it is deleted."))
    if typed.strip() != found.subject:
        wrong.append(("typed", f"This is not the id of the {found.kind}: type it as it is shown."))
    return wrong


def _begin(
    errands: Errands, visitor: Visitor, found: Consequences, reason: str, in_progress: bool
) -> UUID:
    """Erase; asked again, the first deletion answers. A large account goes on behind the page."""
    begun = errands.begin(
        RequestedErasure(
            kind=found.kind,
            subject=found.subject,
            tenant=visitor.tenant,
            scope=found.scope,
            source="portal",
            actor=visitor.name,
            reason=reason,
            account=found.account if found.kind == TRANSACTION else None,
            in_progress=in_progress,
        )
    )
    with suppress(TimeoutError):
        # What else may stop it, the page of the result says: `run` and `sweep` go on with it.
        if isinstance(error := begun.end.result(_PATIENCE_SECONDS), OnHold):
            raise error
    return deletions.read(visitor.context, begun.tenant_id, begun.request).id


@router.get("/deletion/{deletion}")
def result(request: Request, visitor: Viewer, deletion: UUID) -> Response:
    """What became of a deletion; the part that changes can be asked for alone, by htmx."""
    known = (visitor.context, visitor.tenant, deletion)
    unproven = None
    try:
        found, receipt = deletions.with_receipt(*known)
    except NeedsPerson as exc:
        found, receipt, unproven = deletions.named(*known), None, str(exc)
    alone = request.headers.get("HX-Request") == "true"
    name = "deletion_state" if alone else "deletion"
    again = _there_again(visitor, found) if found.state is DeletionState.COMPLETE else 0
    return render(
        request,
        name,
        found=found,
        has_receipt=receipt is not None,
        again=again,
        unproven=unproven,
    )


def _there_again(visitor: Visitor, found: DeletionRecord) -> int:
    """How many rows of what was deleted are there by now; none where the subject itself is gone."""
    try:
        if found.kind == TRANSACTION:
            shown = describe(visitor.context, found.subject, tenant=visitor.tenant)
            return shown.rows(found.scope)
        whole = explain(visitor.context, found.subject, tenant=visitor.tenant)
    except UnknownSubject:
        return 0
    rows = (each.entry for each in whole.entries)
    return sum(each.rows for each in rows if found.scope.covers(each.class_))
