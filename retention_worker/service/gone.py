"""Says in the ledger which objects are gone, and takes them out of the outbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from retention_worker.domain.chain import OBJECTS, BatchRecord
from retention_worker.domain.scope import Scope
from retention_worker.store import ledger, requests
from retention_worker.store import objects as outbox
from retention_worker.store.objects import Claimed, Gone
from retention_worker.store.session import Session

__all__ = ["Completion"]


@dataclass(frozen=True, kw_only=True)
class Completion:
    """Writes a batch of source `objects` for each tenant and scope.

    Args:
        map_digests: the digest of the data map that the drain went by, by scope.
        keep_uri: keep the URI for a while, so that `verify` can look.
    """

    map_digests: Callable[[Scope], str]
    keep_uri: bool

    def write(self, session: Session, objects: Sequence[Claimed], now: datetime) -> int:
        """Note objects as gone, in the caller's transaction; how many nobody had noted before.

        The chains are locked before the outbox's rows: two drains that were given the same
        objects go one after the other, and the second finds none.
        """
        if not objects:
            return 0
        heads = outbox.lock_chains(session, (each.tenant_id for each in objects))
        gone = outbox.take(session, [each.id for each in objects])
        groups: dict[tuple[str, Scope], list[Gone]] = {}
        for each in gone:
            groups.setdefault((each.tenant_id, Scope(each.scope)), []).append(each)
        for (tenant, scope), mine in sorted(groups.items()):
            heads[tenant] = self._batch(session, tenant, scope, mine, heads[tenant], now)
        return len(gone)

    def _batch(  # noqa: PLR0917 - the parts of one batch
        self,
        session: Session,
        tenant: str,
        scope: Scope,
        gone: Sequence[Gone],
        previous: str | None,
        now: datetime,
    ) -> str:
        number = ledger.next_batch(session)
        record = BatchRecord(
            batch=number,
            sweep=None,
            request=None,
            tenant=tenant,
            scope=scope,
            source=OBJECTS,
            cutoff=None,
            policy_digest=None,
            map_digest=self.map_digests(scope),
            accounts=0,
            counts=dict(sorted(Counter(each.entry for each in gone).items())),
            objects=len(gone),
            erased_at=now,
            erasures="",
            previous=previous,
            completes={
                str(batch): objects
                for batch, objects in sorted(Counter(each.batch_id for each in gone).items())
            },
        )
        head = ledger.write(session, record, [])
        requests.set_chain_head(session, tenant, number, head)
        outbox.note_gone(session, tenant, gone, gone_batch=number, now=now, keep_uri=self.keep_uri)
        return head
