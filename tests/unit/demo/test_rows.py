"""One account of the reference schema: what it has, and when all of it happened."""

from datetime import UTC, datetime
from random import Random

import pytest

from retention_worker.demo.rows import COLUMNS, AccountRows, AccountSpec, account_rows

LAST = datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def draw(seed: int = 0, **details: object) -> AccountRows:
    """Draw an account with these fields of its spec."""
    spec = AccountSpec(tenant="acme", last_activity=LAST, **details)  # type: ignore[arg-type]
    return account_rows(Random(seed), spec)


def test_every_row_fits_its_table() -> None:
    """Each row has as many values as its table has columns, and no table is unknown."""
    for table, rows in draw(transactions=3).tables.items():
        assert {len(row) for row in rows} == {len(COLUMNS[table])}


def test_same_seed_same_rows() -> None:
    """An account is a function of the generator's state; another seed draws another."""
    assert draw(seed=1).tables == draw(seed=1).tables
    assert draw(seed=1).id != draw(seed=2).id


def test_nothing_is_newer_than_the_last_activity() -> None:
    """All happened at the last activity or before, and the latest transaction at it."""
    tables = draw(transactions=5, authentications=2).tables
    for table, rows in tables.items():
        for position, column in enumerate(COLUMNS[table]):
            if column.endswith("_at"):
                assert max(row[position] for row in rows) <= LAST
    created = COLUMNS["public.transactions"].index("created_at")
    assert tables["public.transactions"][-1][created] == LAST


def test_transactions_are_in_order_and_the_last_are_pending() -> None:
    """`transactions` has the oldest first; `pending` of them, the latest, are still in progress."""
    account = draw(transactions=4, pending=1)
    rows = account.tables["public.transactions"]
    assert [row[0] for row in rows] == account.transactions
    assert [row[3] for row in rows] == sorted(row[3] for row in rows)
    assert [row[7] for row in rows] == ["DONE", "DONE", "DONE", "PENDING"]


def test_parts_can_be_left_out() -> None:
    """Without biometrics, images, extracted data and authentications only what is retained is."""
    account = draw(biometrics=False, images=(), extracted=False, authentications=0)
    assert account.tables.keys() == {
        "public.accounts",
        "public.transactions",
        "public.verification_results",
    }


def test_an_account_may_have_no_transaction() -> None:
    """A person who only registered has an account that is older than its last activity."""
    account = draw(transactions=0, authentications=0)
    assert account.tables.keys() == {"public.accounts"}
    ((_, _, _, created, last),) = account.tables["public.accounts"]
    assert created < last == LAST


def test_naive_times_are_refused() -> None:
    """A last activity without time zone is an error, not a guess."""
    with pytest.raises(ValueError, match="aware"):
        AccountSpec(tenant="acme", last_activity=datetime(2026, 1, 1))  # noqa: DTZ001
