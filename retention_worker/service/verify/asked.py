"""What is still to be done: objects, requests of people; and the ledger's chains."""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.domain.verification import Observation
from retention_worker.service.verify.scene import Scene
from retention_worker.store.session import Session
from retention_worker.store.verify import book

__all__ = ["objects", "requests"]


def objects(session: Session, scene: Scene) -> Iterator[Observation]:
    """Objects whose rows are gone, and that are still there."""
    for each in book.objects(session, scene.only):
        yield Observation(
            check="objects",
            wrong=False,
            tenant=scene.name(each.tenant_id),
            count=each.count,
            oldest=each.oldest,
            message=f"{each.count} object(s) are queued, not deleted",
        )


def requests(session: Session, scene: Scene) -> Iterator[Observation]:
    """Requests that should have been done by now."""
    for each in book.requests(session, scene.only, scene.now):
        yield Observation(
            check="requests",
            wrong=True,
            tenant=scene.name(each.tenant_id),
            count=each.count,
            oldest=each.oldest,
            examples=each.examples,
            message=f"{each.count} request(s) of people are open past the day they were due",
        )
