"""Finds which erasure rows of one batch are not as they were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from retention_worker.domain.ledger.chain import LANE_SOURCES
from retention_worker.domain.ledger.erasure import Erasure, digest_of, padded
from retention_worker.domain.ledger.finding import Change, LedgerFinding

# An added row is found by leaving out each row in turn, which takes the square of their number.
_MOST_TO_LEAVE_OUT = 2_000
_UNTOLD = "its id, subject_id, last_activity or batch_id"


@dataclass(frozen=True, kw_only=True)
class Written:
    """An erasure row, and the hash of its line that was written with it."""

    erasure: Erasure
    line_hash: str | None


def check_rows(
    batch: int, body: Mapping[str, Any], rows: Sequence[Written]
) -> Iterator[LedgerFinding]:
    """Compare the rows, in order of id, with what the batch's body says of them.

    Args:
        batch: its number.
        body: as it was hashed.
        rows: all rows of the batch.
    """
    whole = digest_of(row.erasure.hash for row in rows) == body["erasures"]
    named = False
    for row in rows:
        if row.line_hash != row.erasure.hash:
            named = True
            yield _changed(batch, body, row, whole)
        elif (column := _foreign(batch, body, row.erasure)) is not None:
            named = True
            yield _row(Change.CHANGED, row.erasure, batch, "is not what its batch says", column)
    if not whole and not named:
        yield _untold(batch, body, rows)
    if whole and not _counts_fit(body, rows):
        yield LedgerFinding(
            change=Change.CHANGED,
            table="batch",
            row=batch,
            column="accounts",
            batch=batch,
            message=f"says {body['accounts']} accounts, its erasure rows {_complete(rows)}",
        )


def _changed(batch: int, body: Mapping[str, Any], row: Written, whole: bool) -> LedgerFinding:
    if whole:
        return _row(Change.CHANGED, row.erasure, batch, "is not the hash of its row", "line_hash")
    for column, value in _likely(batch, body, row.erasure):
        if replace(row.erasure, **{_FIELDS.get(column, column): value}).hash == row.line_hash:
            return _row(Change.CHANGED, row.erasure, batch, f"was {value!r}", column)
    return _row(Change.CHANGED, row.erasure, batch, f"the row is not what was written: {_UNTOLD}")


_FIELDS = {"tenant_id": "tenant", "batch_id": "batch"}


def _likely(batch: int, body: Mapping[str, Any], row: Erasure) -> Iterator[tuple[str, Any]]:
    """What a changed column can have been, where the batch or the column's few values tell."""
    yield "tenant_id", body["tenant"]
    yield "batch_id", batch
    yield "scope", body["scope"]
    yield "kind", "transaction" if row.kind == "account" else "account"
    yield "complete", not row.complete
    yield "erased_at", _unpadded(body["erased_at"])
    yield "last_activity", None


def _foreign(batch: int, body: Mapping[str, Any], row: Erasure) -> str | None:
    """The column that contradicts the batch, in a row whose hash was made anew."""
    pairs = {
        "batch_id": (row.batch, batch),
        "tenant_id": (row.tenant, body["tenant"]),
        "scope": (row.scope, body["scope"]),
        "erased_at": (padded(row.erased_at), body["erased_at"]),
    }
    return next((column for column, (is_, was) in pairs.items() if is_ != was), None)


def _untold(batch: int, body: Mapping[str, Any], rows: Sequence[Written]) -> LedgerFinding:
    """Each row is right by itself, but together they are not what was written."""
    hashes = [row.erasure.hash for row in rows]
    if len(hashes) <= _MOST_TO_LEAVE_OUT:
        for place, row in enumerate(rows):
            if digest_of(hashes[:place] + hashes[place + 1 :]) == body["erasures"]:
                return _row(Change.ADDED, row.erasure, batch, "its batch was written without it")
    expected = body["accounts"] if body["source"] in LANE_SOURCES and body["accounts"] else None
    said = f"of batch {batch} {len(rows)} are left"
    ids = f"{rows[0].erasure.id} to {rows[-1].erasure.id}" if rows else "none"
    if not rows or (expected is not None and len(rows) < expected):
        wanted = f" of {expected}" if expected is not None else ""
        return _nameless(Change.REMOVED, batch, f"{said}{wanted}: rows {ids}")
    return _nameless(Change.CHANGED, batch, f"one of its rows {ids}, with its line_hash")


def _counts_fit(body: Mapping[str, Any], rows: Sequence[Written]) -> bool:
    return body["source"] not in LANE_SOURCES or body["accounts"] == _complete(rows)


def _complete(rows: Sequence[Written]) -> int:
    return sum(row.erasure.complete for row in rows)


def _row(
    change: Change, row: Erasure, batch: int, message: str, column: str | None = None
) -> LedgerFinding:
    return LedgerFinding(
        change=change, table="erasure", row=row.id, column=column, batch=batch, message=message
    )


def _nameless(change: Change, batch: int, message: str) -> LedgerFinding:
    return LedgerFinding(change=change, table="erasure", row=None, batch=batch, message=message)


def _unpadded(stamp: str) -> str:
    """A time as the line has it, from that of a body: without the zeros at its end."""
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return f"{whole}.{fraction.rstrip('0')}".rstrip(".")
