"""The ledger's chains, as the ledger's own verification judges them."""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.domain.ledger.verification import Observation
from retention_worker.service import ledger
from retention_worker.service.context import Context


def chains(context: Context, tenant: str | None) -> Iterator[Observation]:
    """Every row of the ledger that is not as it was written."""
    found = ledger.verify(context, tenant=tenant)
    for finding in found.findings:
        yield Observation(check="chain", wrong=True, message=f"ledger: {finding}")
    if found.more:
        yield Observation(
            check="chain", wrong=True, message="ledger: and more: run ledger verify for all of it"
        )
