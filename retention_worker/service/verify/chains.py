"""The ledger's chains, as the ledger's own verification judges them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from retention_worker.domain.verification import Observation
from retention_worker.service.worker import Worker

__all__ = ["chains"]


def chains(worker: Worker, tenant_id: str | None) -> Iterator[Observation]:
    """Every row of the ledger that is not as it was written."""
    try:
        verify_chains = import_module("retention_worker.service.ledger").verify_chains
    except (ImportError, AttributeError):
        yield Observation(
            check="chain", wrong=False, count=0, message="the ledger's chains were not looked at"
        )
        return
    for problem in verify_chains(worker, tenant_id=tenant_id):
        yield Observation(check="chain", wrong=True, message=f"ledger: {problem}")
