"""The audit without a database: as for an export, where nothing can be looked up."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from retention_worker.domain.ledger.audit import Audit, BatchRow, Head
from retention_worker.domain.ledger.chain import BatchRecord, hash_of
from retention_worker.domain.ledger.erasure import Erasure, digest_of
from retention_worker.domain.ledger.export import HEADER, line_of, read_line
from retention_worker.domain.ledger.finding import Change, LedgerFinding
from retention_worker.domain.ledger.rowcheck import Written

AT = datetime(2026, 1, 1, tzinfo=UTC)


def chain(length: int, rows: int = 2) -> list[BatchRow]:
    """Batches that follow each other."""
    found: list[BatchRow] = []
    for number in range(1, length + 1):
        written = [
            Erasure(
                id=number * 100 + place,
                batch=number,
                tenant="acme",
                kind="account",
                subject=f"{number}-{place}",
                scope="all",
                last_activity="2025-01-01T00:00:00",
                complete=True,
                erased_at="2026-01-01T00:00:00",
            )
            for place in range(rows)
        ]
        record = BatchRecord(
            batch=number,
            sweep=1,
            request=None,
            tenant="acme",
            scope="all",
            source="sweep",
            cutoff=AT,
            policy_digest="p",
            map_digest="m",
            accounts=rows,
            counts={"images": 3},
            objects=0,
            erased_at=AT,
            erasures=digest_of(each.hash for each in written),
            previous=found[-1].hash if found else None,
        )
        found.append(
            BatchRow(
                id=number,
                body=record.body(),
                hash=hash_of(record.body()),
                columns=None,
                rows=[Written(erasure=each, line_hash=each.hash) for each in written],
            )
        )
    return found


def audited(batches: list[BatchRow], heads: dict[str, Head] | None = None) -> list[LedgerFinding]:
    """Everything that is found."""
    audit = Audit()
    found = [finding for batch in batches for finding in audit.batch(batch)]
    return [*found, *audit.finish(heads or {})]


def test_a_whole_chain() -> None:
    """Nothing is found, with a head or without."""
    batches = chain(5)
    assert audited(batches) == []
    assert audited(batches, {"acme/all": Head(batch=5, hash=batches[-1].hash)}) == []


@pytest.mark.parametrize("gone", range(4))
def test_a_removed_batch(gone: int) -> None:
    """The one after it says what it misses."""
    batches = chain(5)
    del batches[gone]

    [finding] = audited(batches)

    assert (finding.change, finding.batch) == (Change.REMOVED, gone + 2)


def test_a_cut_off_end_shows_against_the_head_alone() -> None:
    """By itself a shorter chain is a chain."""
    batches = chain(5)
    assert audited(batches[:4]) == []
    [finding] = audited(batches[:4], {"acme/all": Head(batch=5, hash=batches[4].hash)})
    assert (finding.change, finding.row) == (Change.REMOVED, 5)


@pytest.mark.parametrize("place", range(5))
def test_a_changed_body_or_hash(place: int) -> None:
    """Whoever follows, or the head, tells which of the two it was."""
    batches = chain(5)
    head = {"acme/all": Head(batch=5, hash=batches[-1].hash)}
    changed = replace(batches[place], body=batches[place].body.replace('"images":3', '"images":4'))
    [body] = audited([*batches[:place], changed, *batches[place + 1 :]], head)
    assert (body.row, body.column) == (place + 1, "body")
    changed = replace(batches[place], hash="0")
    [hash_] = audited([*batches[:place], changed, *batches[place + 1 :]], head)
    assert (hash_.row, hash_.column) == (place + 1, "hash")


@pytest.mark.parametrize("body", ["", "[]", "{}", "null", '{"batch":1}'])
def test_what_is_no_body(body: str) -> None:
    """It is named, and nothing breaks."""
    batches = chain(2)
    findings = audited([batches[0], replace(batches[1], body=body)])
    assert (findings[0].row, findings[0].column) == (2, "body")


def test_swapped_batches() -> None:
    """The order is a part of what was written."""
    first, second, third = chain(3)
    assert audited([first, third, second])


@pytest.mark.parametrize("rows", [1, 2, 50])
def test_each_row_of_a_batch(rows: int) -> None:
    """Removed, added, exchanged, or changed with its own hash made anew."""
    [batch] = chain(1, rows)
    first = batch.rows[0].erasure
    other = replace(first, subject="x", id=99_999)
    made = Written(erasure=other, line_hash=other.hash)

    [removed] = audited([replace(batch, rows=batch.rows[1:])])
    assert removed.change is Change.REMOVED
    [added] = audited([replace(batch, rows=[*batch.rows, made])])
    assert (added.change, added.row) == (Change.ADDED, 99_999)
    [changed] = audited([replace(batch, rows=[*batch.rows[1:], made])])
    assert (changed.change, changed.batch) == (Change.CHANGED, 1)
    foreign = replace(first, tenant="birch")
    rows_ = [Written(erasure=foreign, line_hash=foreign.hash), *batch.rows[1:]]
    [moved] = audited([replace(batch, rows=rows_)])
    assert (moved.row, moved.column) == (first.id, "tenant_id")


def test_lines_of_an_export() -> None:
    """There and back, and each line is what it says."""
    for batch in chain(3):
        line = read_line(line_of(batch, "acme/all"))
        assert line.row() == replace(batch, rows=tuple(batch.rows))
        assert (line.batch, line.chain) == (batch.id, "acme/all")


@pytest.mark.parametrize("change", [{"chain": "x"}, {"batch": 9}, {"hash": 1}, {"erasures": {}}])
def test_what_is_no_line(change: dict[str, object]) -> None:
    """What contradicts its body, or has another type, is refused; the header is no line."""
    text = json.loads(line_of(chain(1)[0], "acme/all"))
    for wrong in (json.dumps(text | change), HEADER, "[]", "x"):
        with pytest.raises(ValueError, match=r"."):
            read_line(wrong)
