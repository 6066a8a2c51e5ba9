"""The portal: pages for people, rendered on the server, that work without a script."""

from fastapi import APIRouter

from retention_worker.web.portal import (
    account,
    approval,
    deletion,
    ledger,
    not_found,
    oidc,
    overview,
    settings,
    signin,
    transaction,
)

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
for part in (
    signin,
    oidc,
    overview,
    account,
    transaction,
    deletion,
    settings,
    approval,
    ledger,
    not_found,  # the last: it takes every path that nobody else does
):
    router.include_router(part.router, prefix="/portal")
