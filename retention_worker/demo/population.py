"""Sample data for the reference schema: whole populations, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from random import Random

from retention_worker.demo.rows import COLUMNS, AccountRows, AccountSpec, Row, account_rows
from retention_worker.embedded.tables import TableRows

# Accounts that are in memory at once: some 20 MB with the vectors of the default size.
_CHUNK = 1_000


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Accounts that look like `example`, but for their age.

    Their last activity is spread evenly from `youngest` to `oldest` before the population's `now`,
    both included, so that how many are past a period can be told by counting.
    """

    accounts: int
    youngest: timedelta
    oldest: timedelta
    example: AccountSpec

    def ages(self) -> Iterator[timedelta]:
        """The age of each account, youngest first."""
        steps = max(self.accounts - 1, 1)
        for number in range(self.accounts):
            yield self.youngest + (self.oldest - self.youngest) * number / steps


def tenant_rows(tenants: Iterable[str], *, created_at: datetime) -> TableRows:
    """The rows of the tenants themselves; a tenant's name is made of its id."""
    table = "public.tenants"
    rows = [(name, name.replace("-", " ").title(), created_at) for name in tenants]
    return TableRows(table=table, columns=COLUMNS[table], rows=rows)


def population(groups: Iterable[Cohort], *, now: datetime, seed: int = 0) -> Iterator[TableRows]:
    """All rows of the groups' accounts, lazily and in chunks, parents before children.

    The tenants are not among them: see `tenant_rows`.

    Args:
        groups: what to draw, in this order.
        now: what ages are counted from (aware).
        seed: another seed draws other ids and values; counts and ages stay.
    """
    random = Random(seed)  # noqa: S311 (sample data, no secret)
    specs = (
        replace(group.example, last_activity=now - age) for group in groups for age in group.ages()
    )
    while chunk := list(islice(specs, _CHUNK)):
        yield from by_table(account_rows(random, spec) for spec in chunk)


def by_table(accounts: Iterable[AccountRows]) -> Iterator[TableRows]:
    """The rows of several accounts, a table at a time, parents before children."""
    tables: dict[str, list[Row]] = {}
    for account in accounts:
        for table, rows in account.tables.items():
            tables.setdefault(table, []).extend(rows)
    for table, columns in COLUMNS.items():
        if table in tables:
            yield TableRows(table=table, columns=columns, rows=tables[table])
