"""The sample tenants, and their accounts on the first day of the story."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from retention_worker.demo.population import Cohort
from retention_worker.demo.rows import AccountSpec

# The first day of the story, a Monday. Fixed, so that every run tells the same.
START = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
# Three accounts of elm-clinic that are due a day after the start: the story tells them apart.
TRIO_AGE = timedelta(days=89)
# The value in the database's tenant column, and what people say.
TENANTS = {
    "acme": "acme",
    "birch-bank": "birch-bank",
    "cedar-cars": "cedar-cars",
    "dune-air": "dune-air",
    "40017": "elm-clinic",
    "fjord-games": "fjord-games",
}


_EDGE = 1 / 86_400  # a second
# Tenant, accounts, the days without activity of the first and of the last, transactions of each,
# and whether it has biometrics. Only acme's have a backlog: the other tenants' old ones went by
# hand before.
_FIRST_DAY = (
    # A visit is due within a month, so that nobody of these is idle for the shortest period.
    ("acme", 260, 5 / 24, 9, 3, True),
    ("birch-bank", 260, 5 / 24, 9, 3, True),
    ("cedar-cars", 140, 5 / 24, 9, 3, True),
    ("dune-air", 140, 5 / 24, 9, 3, True),
    ("40017", 140, 5 / 24, 9, 3, True),
    ("acme", 260, 20, 358.5, 1, True),
    ("acme", 6, 360.2, 372, 1, True),
    ("birch-bank", 28, 14.5, 43.5, 1, True),
    ("birch-bank", 3, 42 - _EDGE, 42 + _EDGE, 1, True),
    ("birch-bank", 150, 60, 900, 1, False),
    ("cedar-cars", 260, 20.5, 552, 1, True),
    ("dune-air", 200, 20.5, 367, 1, True),
    ("40017", 45, 20.5, 91.5, 1, True),
    ("40017", 3, TRIO_AGE.days, TRIO_AGE.days, 2, True),
    ("40017", 190, 95, 552, 1, False),
    ("fjord-games", 150, 5, 780, 1, True),
)


def first_day() -> Iterator[Cohort]:
    """The accounts that are there on the first day, group by group."""
    for tenant, accounts, youngest, oldest, transactions, biometrics in _FIRST_DAY:
        example = account(tenant, START, transactions=transactions, biometrics=biometrics)
        ages = {"youngest": timedelta(days=youngest), "oldest": timedelta(days=oldest)}
        yield Cohort(accounts=accounts, example=example, **ages)


def account(tenant: str, last_activity: datetime, **details: Any) -> AccountSpec:
    """An account as the demo has them: small vectors, and images in the folder of the files."""
    return AccountSpec(
        tenant=tenant, last_activity=last_activity, vector_bytes=64, store="", **details
    )
