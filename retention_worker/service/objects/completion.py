"""Says in the ledger which objects are gone, and takes them out of the outbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from retention_worker.domain.ledger.chain import OBJECTS, BatchRecord
from retention_worker.domain.scope import Scope
from retention_worker.store.connection.session import Session
from retention_worker.store.ledger import ledger
from retention_worker.store.own import objects as outbox
from retention_worker.store.own import requests
from retention_worker.store.own.objects import Claimed


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

        However many rows named an object, it is one. The chains are locked before the outbox's
        rows: two drains that were given the same objects go one after the other, and the second
        finds none.
        """
        if not objects:
            return 0
        heads = outbox.lock_chains(session, (each.tenant_id for each in objects))
        scopes = outbox.scopes(session, {each.batch_id for each in objects})
        groups: dict[tuple[str, Scope], list[Claimed]] = {}
        numbers: dict[str, int] = {}
        for each in sorted(objects, key=lambda each: each.id):
            key = each.tenant_id, Scope(scopes[each.batch_id])
            groups.setdefault(key, []).append(each)
            numbers.setdefault(each.uri, each.id)
        noted: set[str] = set()
        for (tenant, scope), rows in sorted(groups.items()):
            head, gone = self._batch(session, tenant, scope, rows, numbers, heads[tenant], now)
            heads[tenant] = head
            noted |= gone
        return len(noted)

    def _batch(  # noqa: PLR0917 - the parts of one batch
        self,
        session: Session,
        tenant: str,
        scope: Scope,
        rows: Sequence[Claimed],
        numbers: Mapping[str, int],
        previous: str | None,
        now: datetime,
    ) -> tuple[str | None, set[str]]:
        """The chain's head, and the objects that the batch notes; none: there is no batch."""
        number = ledger.next_batch(session)
        objects = {each.id: numbers[each.uri] for each in rows}
        taken = outbox.take(session, objects, gone_batch=number, now=now, keep_uri=self.keep_uri)
        gone = [each for each in rows if each.id in taken]
        if not gone:
            return previous, set()
        # An object that rows of two entries named counts with the first.
        first = {each.uri: each.entry for each in reversed(gone)}
        entries = Counter(first.values())
        batches = Counter(batch for batch, _ in {(each.batch_id, each.uri) for each in gone})
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
        return head, set(first)
