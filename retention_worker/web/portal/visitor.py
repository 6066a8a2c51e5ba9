"""Who asks: the session behind a request, what its role allows, the token of its forms."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Form, Request

from retention_worker.domain.access.role import Role
from retention_worker.domain.tenant import TenantId
from retention_worker.service.access import sessions
from retention_worker.service.context import Context
from retention_worker.store.own.portal import SignedIn
from retention_worker.web.parts import Given
from retention_worker.web.portal import cookies
from retention_worker.web.problems import ProblemError

_FORGED = (
    "The form is not one that this portal gave to this browser, or it is too old: load the page "
    "again and send it once more."
)


class NotSignedIn(Exception):
    """There is no session, or it has ended."""


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody who is signed in, and the worker for what they may see of one tenant."""

    context: Context
    who: SignedIn

    @property
    def tenant(self) -> TenantId:
        """The value of the tenant column, whatever files are called."""
        return TenantId(self.who.tenant_id)

    @property
    def name(self) -> str:
        """Who it is, for the record."""
        return self.who.name

    def may(self, role: str) -> bool:
        """Whether their role includes another; for the templates, which name it."""
        return self.who.role.includes(Role(role))


def _visitor(request: Request, parts: Given) -> Visitor:
    token = cookies.read(request, cookies.SESSION)
    who = sessions.find(parts.context, token) if token else None
    if who is None:
        raise NotSignedIn
    found = Visitor(context=parts.context, who=who)
    request.state.visitor = found
    return found


def _with(role: Role) -> Callable[[Visitor], Visitor]:
    def required(visitor: Annotated[Visitor, Depends(_visitor)]) -> Visitor:
        if not visitor.who.role.includes(role):
            raise ProblemError(
                HTTPStatus.FORBIDDEN, f"Your role is {visitor.who.role}: this takes {role}."
            )
        return visitor

    return required


def _confirmed(
    request: Request,
    visitor: Annotated[Visitor, Depends(_visitor)],
    csrf: Annotated[str, Form()] = "",
) -> None:
    refuse_forged(request, csrf, visitor.who.csrf_secret)


def refuse_forged(request: Request, given: str, expected: str | None) -> None:
    """Let only a form pass that this portal gave to this browser.

    Raises:
        ProblemError: 403.
    """
    # Browsers say where a request comes from; Origin is no help, it is null without a referrer.
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    same = expected is not None and hmac.compare_digest(given.encode(), expected.encode())
    if not same or site not in {"same-origin", "none"}:
        raise ProblemError(HTTPStatus.FORBIDDEN, _FORGED)


Viewer = Annotated[Visitor, Depends(_with(Role.VIEWER))]
Supporter = Annotated[Visitor, Depends(_with(Role.SUPPORT))]
Approver = Annotated[Visitor, Depends(_with(Role.APPROVER))]
Confirmed = Depends(_confirmed)
