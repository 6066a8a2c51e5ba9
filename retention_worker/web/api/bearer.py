"""Who asks: the bearer token of a request, and whether it permits what the route does."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.security import OAuth2

from retention_worker.domain.access.permission import Permission
from retention_worker.domain.tenant import TenantId
from retention_worker.service.access import tokens
from retention_worker.store.own.clients import Bearer
from retention_worker.web.parts import Given
from retention_worker.web.problems import ProblemError

# What every route behind a token may answer.
REFUSALS = (401, 403, 503)

_SCHEME = OAuth2(
    flows=OAuthFlows(
        clientCredentials=OAuthFlowClientCredentials(
            tokenUrl="/oauth2/token",
            scopes={str(each): each.meaning for each in Permission},
        )
    ),
    scheme_name="client credentials",
    auto_error=False,
)


class _Permitted:
    """Lets a token pass that has one of these permissions."""

    def __init__(self, any_of: tuple[Permission, ...]) -> None:
        self._any_of = frozenset(any_of)

    def __call__(
        self,
        request: Request,
        parts: Given,
        authorization: Annotated[str | None, Security(_SCHEME)],
    ) -> Bearer:
        """Whose token it is.

        Raises:
            ProblemError: 401 where there is none that counts, 403 where it permits something else.
        """
        found = tokens.bearer(parts.context, _token_of(authorization))
        if found is None:
            raise _unauthorized('Bearer error="invalid_token"')
        request.state.client = found.client_id
        if not self._any_of & found.permissions:
            names = " or ".join(sorted(self._any_of))
            raise ProblemError(HTTPStatus.FORBIDDEN, f"The token lacks the permission {names}.")
        return found


def permitted(*any_of: Permission) -> Any:
    """The dependency of a route: a token with one of the permissions."""
    return Security(_Permitted(any_of), scopes=[str(any_of[0])])


Reader = Annotated[Bearer, permitted(Permission.RETRIEVE)]


def tenant_of(bearer: Bearer) -> TenantId:
    """The tenant that the token belongs to: everything that is asked is asked of this one."""
    return TenantId(bearer.tenant_id)


def _token_of(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorized("Bearer")
    return token.strip()


def _unauthorized(challenge: str) -> ProblemError:
    detail = "There is no valid access token: take one from POST /oauth2/token."
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": challenge})
