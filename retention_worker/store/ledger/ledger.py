"""The ledger's rows: batches in their chains, and one erasure row an account."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from retention_worker.domain.ledger.chain import BatchRecord, hash_of
from retention_worker.domain.scope import Scope
from retention_worker.store.connection.answers import Pending
from retention_worker.store.connection.keys import array_literal
from retention_worker.store.connection.session import Session


@dataclass(frozen=True, kw_only=True)
class LaneTotals:
    """What a sweep has committed in one lane."""

    accounts: int = 0
    rows: Mapping[str, int]
    objects: int = 0
    batches: int = 0


def next_batch(session: Session) -> int:
    """The number of the batch that is about to be written."""
    return ask_batch(session).get()


def ask_batch(session: Session) -> Pending[int]:
    """Ask for the number of the next batch; the answer comes later."""
    answer = session.send("ledger.next_batch", {"schema_name": session.schema_name})
    return Pending(answer, lambda given: int(given.value()))


def write(
    session: Session,
    record: BatchRecord,
    erased: Sequence[tuple[str, str | None]],
    *,
    kind: str = "account",
    complete: bool = True,
) -> str:
    """Write the erasure rows and the batch's row.

    Args:
        session: the batch's own transaction.
        record: the batch; its `erasures` is filled in here.
        erased: id and last activity (text of an instant) of each.
        kind: account or transaction.
        complete: False for a part of a large account.

    Returns:
        The hash of the batch, the chain's new head.
    """
    digest = write_erasures(session, record, erased, kind=kind, complete=complete).get()
    return write_batch(session, record, digest)


def write_erasures(
    session: Session,
    record: BatchRecord,
    erased: Sequence[tuple[str, str | None]],
    *,
    kind: str = "account",
    complete: bool = True,
) -> Pending[str]:
    """Write the erasure rows alone; later the hash of them all, which the batch's row holds."""
    answer = session.send(
        "ledger.write_erasures",
        {
            "schema_name": session.schema_name,
            "batch": record.batch,
            "tenant": record.tenant,
            "kind": kind,
            "scope": record.scope,
            "complete": complete,
            "now": record.erased_at,
            "ids": array_literal(subject for subject, _ in erased),
            "activities": array_literal(activity for _, activity in erased),
        },
    )
    return Pending(answer, lambda given: str(given.value()))


def write_batch(session: Session, record: BatchRecord, erasures: str) -> str:
    """Write the batch's row, given the hash of its erasure rows; the chain's new head."""
    body = replace(record, erasures=erasures).body()
    session.send(
        "ledger.write_batch",
        {
            "batch": record.batch,
            "sweep": record.sweep,
            "request": record.request,
            "tenant": record.tenant,
            "scope": record.scope,
            "source": record.source,
            "cutoff": record.cutoff,
            "policy_digest": record.policy_digest,
            "map_digest": record.map_digest,
            "accounts": record.accounts,
            "counts": json.dumps(dict(record.counts)),
            "objects": record.objects,
            "erased_at": record.erased_at,
            "body": body,
            "previous": record.previous,
            "hash": hash_of(body),
        },
    )
    return hash_of(body)


def set_head(
    session: Session, tenant_id: str, scope: Scope, *, batch: int, head: str, spent: int
) -> None:
    """Make a batch the head of its lane's chain; it took `spent` accounts of the allowance."""
    session.send(
        "lanes.set_head",
        {"tenant": tenant_id, "scope": scope, "batch": batch, "hash": head, "spent": spent},
    )


def totals(session: Session, sweep: int) -> dict[tuple[str, Scope], LaneTotals]:
    """What the sweep has committed, by lane."""
    found: dict[tuple[str, Scope], LaneTotals] = {}
    for row in session.rows("ledger.totals", {"sweep": sweep, "tenant": None, "scope": None}):
        rows: dict[str, int] = {}
        for counts in row["counts"]:
            for name, number in counts.items():
                rows[name] = rows.get(name, 0) + number
        found[row["tenant_id"], Scope(row["scope"])] = LaneTotals(
            accounts=row["accounts"], rows=rows, objects=row["objects"], batches=row["batches"]
        )
    return found
