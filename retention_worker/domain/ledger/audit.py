"""Follows the chains of a ledger, batch after batch, and finds what is not as it was written.

One pass in order of the batches' numbers; what it keeps in mind is the end of each chain.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from retention_worker.domain.ledger.chain import chain_of, hash_of
from retention_worker.domain.ledger.finding import Change, LedgerFinding
from retention_worker.domain.ledger.rowcheck import Written, check_rows

# Columns of the batch's row, and what its body calls them.
_COLUMNS = {
    "id": "batch",
    "sweep_id": "sweep",
    "request_id": "request",
    "tenant_id": "tenant",
    "scope": "scope",
    "source": "source",
    "cutoff": "cutoff",
    "policy_digest": "policy_digest",
    "map_digest": "map_digest",
    "accounts": "accounts",
    "counts": "counts",
    "objects": "objects",
    "erased_at": "erased_at",
    "previous_hash": "previous",
}
_KEYS = frozenset({*_COLUMNS.values(), "erasures", "format"})


@dataclass(frozen=True, kw_only=True)
class BatchRow:
    """A batch with its erasure rows; `columns` None where only the body is there (an export).

    Times in `columns` are texts as the body has them.
    """

    id: int
    body: str
    hash: str
    columns: Mapping[str, Any] | None
    rows: Sequence[Written]


@dataclass(frozen=True, kw_only=True)
class Head:
    """The newest batch of a chain."""

    batch: int | None
    hash: str | None


class Where(Protocol):
    """Finds batches by hash, to tell what became of one that is not where it should be."""

    def batch_with(self, tenant: str, hash_: str) -> int | None:
        """The number of the tenant's batch with this hash."""

    def is_followed(self, tenant: str, hash_: str) -> bool:
        """Whether a batch of the tenant, or the head of a chain, names this hash."""


class _Nowhere:
    def batch_with(self, tenant: str, hash_: str) -> int | None:  # noqa: ARG002
        return None

    def is_followed(self, tenant: str, hash_: str) -> bool:  # noqa: ARG002
        return False


NOWHERE = _Nowhere()
"""Where nothing can be looked up."""


@dataclass(kw_only=True)
class _Link:
    """The newest batch of a chain so far; `doubtful`: its body or its hash was changed."""

    id: int
    stored: str
    computed: str
    previous: str | None
    doubtful: bool

    def __contains__(self, hash_: str | None) -> bool:
        return hash_ in {self.stored, self.computed}


def body_of(text: str) -> dict[str, Any] | None:
    """What a body says; None where the text is no body of a batch."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or not found.keys() >= _KEYS:
        return None
    texts = (found[name] for name in ("tenant", "scope", "source", "erasures", "erased_at"))
    numbers = (found[name] for name in ("batch", "accounts", "objects"))
    fits = all(isinstance(each, str) for each in texts)
    fits = fits and all(type(each) is int for each in numbers)
    return found if fits and isinstance(found["counts"], dict) else None


@dataclass(kw_only=True)
class Audit:
    """What was seen so far. `table` names the rows of batches in findings."""

    where: Where = NOWHERE
    table: str = "batch"
    batches: int = 0
    rows: int = 0
    _links: dict[str, _Link] = field(default_factory=dict)

    @property
    def heads(self) -> dict[str, Head]:
        """The newest batch of each chain."""
        return {chain: Head(batch=link.id, hash=link.stored) for chain, link in self._links.items()}

    def batch(self, row: BatchRow) -> Iterator[LedgerFinding]:
        """The next batch, in order of their numbers."""
        self.batches += 1
        self.rows += len(row.rows)
        body = body_of(row.body)
        if body is None:
            yield self._batch(Change.CHANGED, row.id, "is no body of a batch", "body")
            self._pass_over(row)
            return
        computed = hash_of(row.body)
        if computed != row.hash:  # nothing that the body says counts
            yield from self._link(row, body, computed)
            return
        yield from self._columns(row, body)
        yield from self._link(row, body, computed)
        yield from check_rows(row.id, body, row.rows)

    def orphan(self, row: Written) -> LedgerFinding:
        """An erasure row whose batch is not there."""
        self.rows += 1
        return LedgerFinding(
            change=Change.ADDED,
            table="erasure",
            row=row.erasure.id,
            column="batch_id",
            batch=row.erasure.batch,
            message=f"there is no batch {row.erasure.batch}",
        )

    def finish(self, heads: Mapping[str, Head]) -> Iterator[LedgerFinding]:
        """Compare the end of each chain with what is known of it.

        Args:
            heads: by the chain's name; a chain that is not in it is not compared.
        """
        for chain, link in self._links.items():
            if link.doubtful:
                head = heads.get(chain)
                yield self._doubt(link, head.hash if head else None)
        for chain, head in heads.items():
            finding = self._head(chain, head, self._links.get(chain))
            if finding is not None:
                yield finding

    def _columns(self, row: BatchRow, body: Mapping[str, Any]) -> Iterator[LedgerFinding]:
        if row.columns is None:
            return
        for column, key in _COLUMNS.items():
            if _text(row.columns[column]) != _text(body[key]):
                said = f"its body says {_text(body[key])}"
                yield self._batch(Change.CHANGED, row.id, said, column)

    def _pass_over(self, row: BatchRow) -> None:
        """Keep its place in its chain, so that the next one is not taken for a wrong one."""
        if row.columns is None:
            return
        self._links[_chain(row.columns)] = _Link(
            id=row.id,
            stored=row.hash,
            computed=row.hash,
            previous=row.columns["previous_hash"],
            doubtful=False,
        )

    def _link(
        self, row: BatchRow, body: Mapping[str, Any], computed: str
    ) -> Iterator[LedgerFinding]:
        chain, said = chain_of(body), body["previous"]
        if computed != row.hash and row.columns is not None:
            chain, said = _chain(row.columns), row.columns["previous_hash"]
        prior = self._links.get(chain)
        link = _Link(
            id=row.id,
            stored=row.hash,
            computed=computed,
            previous=said,
            doubtful=computed != row.hash,
        )
        if prior is not None and prior.doubtful:
            yield self._doubt(prior, said)
        if (prior is None and said is None) or (prior is not None and said in prior):
            if prior is not None and prior.id >= row.id:
                yield self._batch(Change.REORDERED, row.id, f"stands after batch {prior.id}")
        elif prior is None:
            yield self._astray(row, body["tenant"], said, "at the start of its chain")
        elif said == prior.previous:
            added = row if self.where.is_followed(body["tenant"], prior.stored) else prior
            yield self._batch(Change.ADDED, added.id, f"its chain goes on without it: {chain}")
            if added is row:
                return
        else:
            yield self._astray(row, body["tenant"], said, f"after batch {prior.id}")
        self._links[chain] = link

    def _astray(self, row: BatchRow, tenant: str, said: str | None, place: str) -> LedgerFinding:
        """A batch follows one that is not the one before it."""
        if said is None:
            return self._batch(Change.ADDED, row.id, f"begins a chain, and stands {place}")
        other = self.where.batch_with(tenant, said)
        if other is not None:
            return self._batch(Change.REORDERED, row.id, f"follows batch {other}, stands {place}")
        return LedgerFinding(
            change=Change.REMOVED,
            table=self.table,
            row=None,
            batch=row.id,
            message=f"the batch that batch {row.id} follows, {place}, with the hash {said}",
        )

    def _doubt(self, link: _Link, follower: str | None) -> LedgerFinding:
        """Body and hash do not fit: whoever follows tells which of them was changed."""
        column = {link.stored: "body", link.computed: "hash"}.get(follower or "")
        link.doubtful = False
        said = "body and hash do not fit"
        return self._batch(Change.CHANGED, link.id, said, column or "body")

    def _head(self, chain: str, head: Head, link: _Link | None) -> LedgerFinding | None:
        def finding(change: Change, message: str, column: str | None = None) -> LedgerFinding:
            table = "request_chain" if chain.endswith("/requests") else "lane"
            return LedgerFinding(
                change=change, table=table, row=chain, column=column, message=message
            )

        if link is None:
            if head.hash is None and head.batch is None:
                return None
            return self._tail(head, "all batches of its chain")
        if head.hash in link:
            if head.batch == link.id:
                return None
            said = f"the newest batch of the chain is {link.id}"
            return finding(Change.CHANGED, said, "head_batch")
        if head.batch is not None and head.batch > link.id:
            return self._tail(head, f"the batches after {link.id}")
        if head.hash is not None and head.hash == link.previous:
            said = f"the head of its chain is before it: {chain}"
            return self._batch(Change.ADDED, link.id, said)
        said = f"batch {link.id}, the newest of the chain, has another hash"
        return finding(Change.CHANGED, said, "head_hash")

    def _tail(self, head: Head, what: str) -> LedgerFinding:
        return LedgerFinding(
            change=Change.REMOVED,
            table=self.table,
            row=head.batch,
            batch=head.batch,
            message=f"{what}: the worker knows the head {head.hash}",
        )

    def _batch(
        self, change: Change, row: int, message: str, column: str | None = None
    ) -> LedgerFinding:
        return LedgerFinding(
            change=change, table=self.table, row=row, column=column, batch=row, message=message
        )


def _chain(columns: Mapping[str, Any]) -> str:
    """The chain, where the body cannot be trusted."""
    return chain_of({"tenant": columns["tenant_id"]} | {k: columns[k] for k in ("scope", "source")})


def _text(value: Any) -> str:
    """A text for each value, different for different ones: 1, 1.0 and true are three."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
