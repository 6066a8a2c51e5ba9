"""Reads the ledger as it stands, row by row, for those who check it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, takewhile
from typing import Any

from retention_worker.domain.ledger.audit import BatchRow, Head
from retention_worker.domain.ledger.chain import chain_of
from retention_worker.domain.ledger.erasure import Erasure, instant_of, padded
from retention_worker.domain.ledger.rowcheck import Written
from retention_worker.store.connection.session import Session

# Rows a page: what is in memory at once, beside the erasure rows of one batch.
_BATCHES = 200
_ERASURES = 5_000
# Before every number that a row can have, made up or not.
_LEAST = -(2**63)
_START = {"after_batch": _LEAST, "after": _LEAST}


class Lookup:
    """Finds batches by hash in one tenant's ledger."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def batch_with(self, tenant: str, hash_: str) -> int | None:
        """The number of the tenant's batch with this hash."""
        found = self._session.value("ledger_read.batch_with", {"tenant": tenant, "hash": hash_})
        return None if found is None else int(found)

    def is_followed(self, tenant: str, hash_: str) -> bool:
        """Whether a batch of the tenant, or the head of a chain, names this hash."""
        parameters = {"tenant": tenant, "hash": hash_}
        return bool(self._session.value("ledger_read.is_followed", parameters))


def walk(
    session: Session, *, tenant: str | None = None, after: int | None = None
) -> Iterator[tuple[BatchRow | None, list[Written]]]:
    """Every batch after a number, with its erasure rows, in order of their numbers.

    Erasure rows without a batch come with None in its place. Runs in one transaction, so that all
    pages see one snapshot.
    """
    session.run("ledger_read.in_order")
    groups = groupby(_erasures(session, tenant, after), key=lambda row: row.erasure.batch)
    group = next(groups, None)
    for columns in _batches(session, tenant, after):
        while group is not None and group[0] < columns["id"]:
            yield None, list(group[1])
            group = next(groups, None)
        rows: list[Written] = []
        if group is not None and group[0] == columns["id"]:
            rows = list(group[1])
            group = next(groups, None)
        yield _batch(columns, rows), rows
    while group is not None:
        yield None, list(group[1])
        group = next(groups, None)


def _batches(session: Session, tenant: str | None, after: int | None) -> Iterator[dict[str, Any]]:
    after = _LEAST if after is None else after
    while True:
        page = session.rows(
            "ledger_read.batches", {"after": after, "tenant": tenant, "limit": _BATCHES}
        )
        yield from page
        if len(page) < _BATCHES:
            return
        after = page[-1]["id"]


def _erasures(session: Session, tenant: str | None, after: int | None) -> Iterator[Written]:
    place = {"after_batch": after + 1, "after": _LEAST} if after is not None else _START
    while True:
        page = session.rows("ledger_read.erasures", place | {"tenant": tenant, "limit": _ERASURES})
        yield from map(_written, page)
        if len(page) < _ERASURES:
            return
        place = {"after_batch": page[-1]["batch_id"], "after": page[-1]["id"]}


def rows_of(session: Session, batch: int) -> list[Written]:
    """The erasure rows of one batch, in order."""
    found = _erasures(session, None, batch - 1)
    return list(takewhile(lambda row: row.erasure.batch == batch, found))


def of_subject(session: Session, tenant: str, kind: str, subject: str) -> list[Erasure]:
    """Every erasure row of one account or transaction, in order."""
    rows = session.rows(
        "ledger_read.of_subject", {"tenant": tenant, "kind": kind, "subject": subject}
    )
    return [_written(row).erasure for row in rows]


def proof(session: Session, batch: int) -> tuple[str, str, list[int], list[str]] | None:
    """A batch's body and hash; the ids of all its erasure rows, and the hashes of their lines."""
    row = session.row("ledger_read.proof", {"batch": batch})
    if row is None:
        return None
    return row["body"], row["hash"], row["ids"] or [], [h or "" for h in row["line_hashes"] or []]


def transactions(session: Session, batch: int) -> list[str]:
    """The transactions of the accounts that a batch has erased."""
    rows = session.rows("ledger_read.transactions", {"batch": batch})
    return [row["transaction_id"] for row in rows]


def heads(session: Session, tenant: str | None) -> dict[str, Head]:
    """The heads of the chains as the worker goes on from them, by the chain's name."""
    rows = session.rows("ledger_read.heads", {"tenant": tenant})
    return {
        chain_of(row | {"tenant": row["tenant_id"]}): Head(
            batch=row["head_batch"], hash=row["head_hash"]
        )
        for row in rows
    }


def hashes(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """The hashes of those of these batches that are there."""
    rows = session.rows("ledger_read.hashes", {"ids": list(ids)})
    return {row["id"]: row["hash"] for row in rows}


def last(session: Session) -> int:
    """The number of the newest batch, 0 where there is none."""
    return int(session.value("ledger_read.last"))


def given(session: Session) -> int:
    """The newest number that was given to a batch."""
    return int(session.value("ledger_read.given", {"schema_name": session.schema_name}))


def under_way(session: Session) -> tuple[int, int]:
    """Transactions by their numbers: all before the first have ended, from the second on none ran.

    Of the snapshot that this transaction reads.
    """
    row = session.row("ledger_read.under_way")
    assert row is not None
    return row["oldest"], row["newest"]


def _batch(columns: dict[str, Any], rows: list[Written]) -> BatchRow:
    times = {
        name: padded(instant_of(columns[name])) if columns[name] is not None else None
        for name in ("cutoff", "erased_at")
    }
    return BatchRow(
        id=columns["id"],
        body=columns["body"],
        hash=columns["hash"],
        columns=columns | times,
        rows=rows,
    )


def _written(row: dict[str, Any]) -> Written:
    last_activity = row["last_activity"]
    return Written(
        erasure=Erasure(
            id=row["id"],
            batch=row["batch_id"],
            tenant=row["tenant_id"],
            kind=row["kind"],
            subject=row["subject_id"],
            scope=row["scope"],
            last_activity=instant_of(last_activity) if last_activity is not None else None,
            complete=row["complete"],
            erased_at=instant_of(row["erased_at"]),
        ),
        line_hash=row["line_hash"],
    )
