"""The demo's own book: it knows by itself what may go, and says what should not have gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from retention_worker.demo.book import Book
from retention_worker.demo.rows import COLUMNS, AccountSpec, account_rows
from retention_worker.demo.tenants import TENANTS
from retention_worker.embedded.tables import TableRows

THEN = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = UUID(int=7)
# One transaction with two vectors, a template, three images and three fields; one authentication.
BIOMETRIC, OTHER = 4, 6


def parts(tenant: str, at: datetime = THEN) -> list[TableRows]:
    """The rows of one account that was active then."""
    spec = AccountSpec(tenant=tenant, last_activity=at, vector_bytes=4)
    tables = account_rows(Random(1), spec, ACCOUNT).tables
    return [
        TableRows(table=table, columns=columns, rows=tables[table])
        for table, columns in COLUMNS.items()
        if table in tables
    ]


def book(tenant: str) -> Book:
    """A book with one account."""
    found = Book(tenants=TENANTS)
    for _ in found.noting(parts(tenant)):
        pass
    return found


def test_what_is_there_is_no_fault() -> None:
    """An account that has everything was not erased, however late it is."""
    noted = book("acme")
    assert noted.see({ACCOUNT: (BIOMETRIC, OTHER)}, THEN + timedelta(days=9999)) == 0
    assert (noted.gone, noted.faults) == (0, [])


@pytest.mark.parametrize(
    ("tenant", "left", "days"),
    [
        ("acme", (0, OTHER), 90),
        ("acme", (0, 0), 360),
        ("birch-bank", (0, OTHER), 42),
        ("cedar-cars", (0, 0), 546),  # 18 months later is 1 July 2027
        ("dune-air", (0, OTHER), 365),
    ],
)
def test_not_a_second_early(tenant: str, left: tuple[int, int], days: int) -> None:
    """What goes when it is due is right, and wrong a second before."""
    due = THEN + timedelta(days=days)
    right, wrong = book(tenant), book(tenant)
    assert right.see({ACCOUNT: left}, due) == wrong.see({ACCOUNT: left}, due - timedelta(seconds=1))
    assert right.faults == []
    assert len(wrong.faults) >= 1


@pytest.mark.parametrize("tenant", ["birch-bank", "dune-air"])
def test_images_never_go_without_a_period(tenant: str) -> None:
    """A tenant without a period for everything keeps images and fields for ever."""
    noted = book(tenant)
    noted.see({}, THEN + timedelta(days=9999))
    assert [fault.split(": ")[1] for fault in noted.faults] == [
        f"{tenant} keeps other credentials for ever"
    ]


def test_half_an_erasure_is_a_fault() -> None:
    """What goes, goes altogether."""
    noted = book("acme")
    noted.see({ACCOUNT: (1, OTHER)}, THEN + timedelta(days=9999))
    assert len(noted.faults) == 1
    assert "1 of 4 biometric credentials left" in noted.faults[0]


def test_holds_and_pauses_are_kept() -> None:
    """An account on hold and a paused tenant lose nothing."""
    held, paused = book("acme"), book("fjord-games")
    held.holds.add(ACCOUNT)
    for noted in (held, paused):
        noted.see({}, THEN + timedelta(days=9999))
        assert len(noted.faults) == 2


def test_who_comes_back_is_active() -> None:
    """A new transaction moves the activity; an earlier one that is noted late does not."""
    noted = book("acme")
    later = THEN + timedelta(days=80)
    for at in (later, THEN):
        for _ in noted.noting(part for part in parts("acme", at) if "accounts" not in part.table):
            pass
    assert noted.accounts[ACCOUNT].activity == later
    noted.see({}, THEN + timedelta(days=360))
    assert len(noted.faults) == 1  # of the others; the biometrics were due ten days before
