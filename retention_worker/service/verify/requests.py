"""What people asked for and is still to be done."""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.domain.ledger.verification import Observation
from retention_worker.service.verify.moment import Moment
from retention_worker.store.connection.session import Session
from retention_worker.store.verify import own_tables


def requests(session: Session, scene: Moment) -> Iterator[Observation]:
    """Requests that should have been done by now."""
    for each in own_tables.requests(session, scene.only, scene.now):
        yield Observation(
            check="requests",
            wrong=True,
            tenant=scene.name(each.tenant_id),
            count=each.count,
            oldest=each.oldest,
            examples=each.examples,
            message=f"{each.count} request(s) of people are open past the day they were due",
        )
