"""The HTTP API for programs: tokens, deletions, transactions, retention."""

from fastapi import APIRouter

from retention_worker.web.api import accounts, deletion, holds, oauth, retention, transactions
from retention_worker.web.api.paths import plain

__all__ = ["router"]

router = APIRouter(dependencies=[plain])
for each in (oauth, accounts, transactions, deletion, retention, holds):
    router.include_router(each.router)
