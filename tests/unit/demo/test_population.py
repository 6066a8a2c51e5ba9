"""Populations of the reference schema: the same for the same seed, of the ages asked for."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from retention_worker.demo.population import Cohort, population, tenant_rows
from retention_worker.demo.rows import COLUMNS, AccountSpec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def group(accounts: int, tenant: str = "acme") -> Cohort:
    """Accounts from 0 to 10 days old."""
    example = AccountSpec(tenant=tenant, last_activity=NOW, vector_bytes=4)
    return Cohort(accounts=accounts, youngest=0 * DAY, oldest=10 * DAY, example=example)


def test_same_seed_same_population() -> None:
    """The rows are a function of groups, time and seed; another seed draws other ids."""
    one, again, other = (list(population([group(3)], now=NOW, seed=seed)) for seed in (7, 7, 8))
    assert one == again
    assert one != other


def test_ages_are_spread_evenly() -> None:
    """The first account is the youngest, the last the oldest, and the steps are equal."""
    (accounts,) = (
        part.rows for part in population([group(11)], now=NOW) if part.table == "public.accounts"
    )
    assert [row[4] for row in accounts] == [NOW - days * DAY for days in range(11)]


def test_one_account_is_the_youngest() -> None:
    """A group of one has no steps to spread."""
    assert list(group(1).ages()) == [0 * DAY]


def test_nobody_gives_no_rows() -> None:
    """Empty groups, and no groups, are fine."""
    assert list(population([group(0)], now=NOW)) == []
    assert list(population([], now=NOW)) == []


def test_large_populations_come_in_chunks() -> None:
    """What does not fit into memory comes in parts, parents before children in each, none lost."""
    parts = list(population([group(1500, "acme"), group(800, "elm")], now=NOW))
    accounts = [row for part in parts if part.table == "public.accounts" for row in part.rows]
    assert Counter(row[1] for row in accounts) == {"acme": 1500, "elm": 800}
    assert len({row[0] for row in accounts}) == 2300
    order = list(COLUMNS)
    tables = [order.index(part.table) for part in parts]
    assert sum(later < earlier for earlier, later in pairwise(tables)) == 2


def test_tenants_have_names() -> None:
    """A tenant's row is made of its id."""
    rows = tenant_rows(["birch-bank"], created_at=NOW)
    assert (rows.table, rows.rows) == ("public.tenants", [("birch-bank", "Birch Bank", NOW)])
