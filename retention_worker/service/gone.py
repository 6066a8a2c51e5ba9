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
from retention_worker.store.objects import Claimed
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
        scopes = outbox.scopes(session, {each.batch_id for each in objects})
        groups: dict[tuple[str, Scope], list[int]] = {}
        for each in objects:
            key = each.tenant_id, Scope(scopes[each.batch_id])
            groups.setdefault(key, []).append(each.id)
        noted = 0
        for (tenant, scope), ids in sorted(groups.items()):
            head, number = self._batch(session, tenant, scope, ids, heads[tenant], now)
            heads[tenant] = head
            noted += number
        return noted

    def _batch(  # noqa: PLR0917 - the parts of one batch
        self,
        session: Session,
        tenant: str,
        scope: Scope,
        ids: Sequence[int],
        previous: str | None,
        now: datetime,
    ) -> tuple[str | None, int]:
        """The chain's head, and how many objects the batch notes; none: there is no batch."""
        number = ledger.next_batch(session)
        gone = outbox.take(session, ids, gone_batch=number, now=now, keep_uri=self.keep_uri)
        if not gone:
            return previous, 0
        entries, batches = Counter[str](), Counter[int]()
        for batch, entry, objects in gone:
            entries[entry] += objects
            batches[batch] += objects
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
            counts=dict(sorted(entries.items())),
            objects=entries.total(),
            erased_at=now,
            erasures="",
            previous=previous,
            completes={str(batch): objects for batch, objects in sorted(batches.items())},
        )
        head = ledger.write(session, record, [])
        requests.set_chain_head(session, tenant, number, head)
        return head, entries.total()
