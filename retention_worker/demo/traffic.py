"""Simulated half months of the application: people come, come again, and stay away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from retention_worker.demo.book import Book
from retention_worker.demo.rows import COLUMNS, AccountRows, AccountSpec, Row, account_rows
from retention_worker.demo.tenants import SampleTenant
from retention_worker.embedded.tables import TableRows

# Whoever is active comes in every second half month, in its last days: within 36 days, which is
# less than the shortest period.
_TURNS = 2
_LAST_DAYS = 4
# Of ten active accounts so many never stop; of the others this share stops each half month.
_FAITHFUL_OF_TEN = 5
_STOP_SHARE = 0.025
_STAY_SHARE = 0.6
_VERIFY_SHARE = 0.08
_VECTOR_BYTES = 64


@dataclass(kw_only=True)
class Traffic:
    """Draws the rows of one half month after the other.

    Args:
        book: knows the accounts.
        random: the same seed draws the same rows.
        active_since: who was active then or later is a regular user from the start.
    """

    book: Book
    random: Random
    active_since: datetime
    _active: dict[str, list[UUID]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, account in self.book.accounts.items():
            if account.activity >= self.active_since:
                self._active.setdefault(account.tenant, []).append(name)
        self.faithful = {
            name for names in self._active.values() for name in names if self._is_faithful(name)
        }

    def half_month(self, number: int, end: datetime) -> Iterator[TableRows]:
        """What the application stores in the half month before `end`, parents before children."""
        drawn: list[AccountRows] = []
        for tenant in self.book.tenants.values():
            drawn += self._regulars(tenant, number, end)
            drawn += self._newcomers(tenant, end)
            drawn += self._returning(tenant, end)
        return _in_order(drawn)

    def _regulars(self, tenant: SampleTenant, number: int, end: datetime) -> Iterator[AccountRows]:
        active = [name for name in self._active.get(tenant.id, []) if not self._stops(name)]
        self._active[tenant.id] = active
        for name in active:
            if name.int % _TURNS == number % _TURNS:
                verifies = self.random.random() < _VERIFY_SHARE
                yield self._visit(tenant, end, name, verifies=verifies)

    def _newcomers(self, tenant: SampleTenant, end: datetime) -> Iterator[AccountRows]:
        for _ in range(tenant.newcomers):
            account = account_rows(self.random, self._spec(tenant, end, verifies=True))
            if self.random.random() < _STAY_SHARE:
                self._active.setdefault(tenant.id, []).append(account.id)
            yield account

    def _returning(self, tenant: SampleTenant, end: datetime) -> Iterator[AccountRows]:
        """Somebody comes back after a long time, maybe after the erasure: that is new data."""
        active = set(self._active.get(tenant.id, ()))
        idle = [
            name
            for name, account in self.book.accounts.items()
            if account.tenant == tenant.id and name not in active and name not in self.book.holds
        ]
        yield self._visit(tenant, end, self.random.choice(idle), verifies=True)

    def _visit(
        self, tenant: SampleTenant, end: datetime, name: UUID, *, verifies: bool
    ) -> AccountRows:
        account = account_rows(self.random, self._spec(tenant, end, verifies=verifies), name)
        del account.tables["public.accounts"]  # it is there already
        return account

    def _spec(self, tenant: SampleTenant, end: datetime, *, verifies: bool) -> AccountSpec:
        return AccountSpec(
            store="",
            tenant=tenant.id,
            last_activity=end - timedelta(seconds=self.random.randrange(3600, _LAST_DAYS * 86_400)),
            transactions=int(verifies),
            authentications=int(not verifies),
            vector_bytes=_VECTOR_BYTES,
        )

    def _stops(self, name: UUID) -> bool:
        return name not in self.faithful and self.random.random() < _STOP_SHARE

    def _is_faithful(self, name: UUID) -> bool:
        return name.int // _TURNS % 10 < _FAITHFUL_OF_TEN


def _in_order(drawn: Iterable[AccountRows]) -> Iterator[TableRows]:
    tables: dict[str, list[Row]] = {}
    for account in drawn:
        for table, rows in account.tables.items():
            tables.setdefault(table, []).extend(rows)
    for table, columns in COLUMNS.items():
        if table in tables:
            yield TableRows(table=table, columns=columns, rows=tables[table])
