"""The sample tenants: their accounts on the first day, and their periods written a second time.

The worker reads the periods from the policy files. The demo's checks take them from here instead,
with a calendar of their own, so that they share no line with what they check.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from retention_worker.demo.population import Cohort
from retention_worker.demo.rows import AccountSpec

# The first day of the story, a Monday. Fixed, so that every run tells the same.
START = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
# Three accounts of elm-clinic that are due a day after the start: the story tells them apart.
TRIO_AGE = timedelta(days=89)
# Small vectors: nothing here compares them.
_VECTOR_BYTES = 64
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Span:
    """A period, in months or in days."""

    months: int = 0
    days: int = 0

    def after(self, at: datetime) -> datetime:
        """When a period that began then has ended.

        Where the last month lacks the day, it ends with that month's last day.
        """
        year, month = divmod(at.year * 12 + at.month - 1 + self.months, 12)
        last = calendar.monthrange(year, month + 1)[1]
        if at.day > last:
            at = datetime(at.year, at.month, last, 23, 59, 59, 999_999, tzinfo=UTC)
        return at.replace(year=year, month=month + 1) + timedelta(days=self.days)

    @property
    def sql(self) -> str:
        """The period as PostgreSQL writes an interval."""
        return f"{self.months} months {self.days} days"


@dataclass(frozen=True, kw_only=True)
class SampleTenant:
    """A sample tenant.

    Args:
        name: as people say, and the policy file's name.
        id: the value in the database's tenant column.
        everything: after which all credentials go; None: never.
        biometrics: the same for biometrics alone.
        paused: nothing is erased.
        newcomers: people who come for the first time, each half month.
    """

    name: str
    id: str
    everything: Span | None = None
    biometrics: Span | None = None
    paused: bool = False
    newcomers: int

    def due(self, activity: datetime, *, biometric: bool) -> datetime | None:
        """From when on a credential may go; None: never."""
        spans = (self.everything, self.biometrics if biometric else None)
        return min((span.after(activity) for span in spans if span), default=None)


_ACME = SampleTenant(
    name="acme",
    id="acme",
    everything=Span(days=360),
    biometrics=Span(days=90),
    newcomers=7,
)
_BIRCH = SampleTenant(name="birch-bank", id="birch-bank", biometrics=Span(days=42), newcomers=7)
_CEDAR = SampleTenant(name="cedar-cars", id="cedar-cars", everything=Span(months=18), newcomers=4)
_DUNE = SampleTenant(name="dune-air", id="dune-air", biometrics=Span(months=12), newcomers=4)
_ELM = SampleTenant(
    name="elm-clinic",
    id="40017",
    everything=Span(months=18),
    biometrics=Span(days=90),
    newcomers=4,
)
_FJORD = SampleTenant(
    name="fjord-games",
    id="fjord-games",
    everything=Span(months=24),
    biometrics=Span(days=30),
    paused=True,
    newcomers=2,
)
TENANTS = {tenant.id: tenant for tenant in (_ACME, _BIRCH, _CEDAR, _DUNE, _ELM, _FJORD)}


def groups() -> Iterator[Cohort]:
    """Who is there on the first day, by tenant and age.

    Only acme's biometrics have a backlog: the other tenants' old ones went by hand before, so that
    those accounts have none.
    """
    day = timedelta(days=1)
    for tenant, active in ((_ACME, 260), (_BIRCH, 260), (_CEDAR, 140), (_DUNE, 140), (_ELM, 140)):
        # A visit is due within a month, so that nobody of these is idle for the shortest period.
        yield _group(tenant, active, timedelta(hours=5), 9 * day, transactions=3)
    yield _group(_ACME, 260, 20 * day, 358.5 * day)
    yield _group(_ACME, 6, 360.2 * day, 372 * day)
    yield _group(_BIRCH, 28, 14.5 * day, 43.5 * day)
    yield _group(_BIRCH, 3, 42 * day - _SECOND, 42 * day + _SECOND)
    yield _group(_BIRCH, 150, 60 * day, 900 * day, biometrics=False)
    yield _group(_CEDAR, 260, 20.5 * day, 552 * day)
    yield _group(_DUNE, 200, 20.5 * day, 367 * day)
    yield _group(_ELM, 45, 20.5 * day, 91.5 * day)
    yield _group(_ELM, 3, TRIO_AGE, TRIO_AGE, transactions=2)
    yield _group(_ELM, 190, 95 * day, 552 * day, biometrics=False)
    yield _group(_FJORD, 150, 5 * day, 780 * day)


def _group(
    tenant: SampleTenant,
    accounts: int,
    youngest: timedelta,
    oldest: timedelta,
    *,
    transactions: int = 1,
    biometrics: bool = True,
) -> Cohort:
    example = AccountSpec(
        store="",
        tenant=tenant.id,
        last_activity=START,
        transactions=transactions,
        biometrics=biometrics,
        vector_bytes=_VECTOR_BYTES,
    )
    return Cohort(accounts=accounts, youngest=youngest, oldest=oldest, example=example)
