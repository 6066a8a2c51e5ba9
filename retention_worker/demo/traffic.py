"""Simulated half months of the application: people come, come again, and stay away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from retention_worker.demo.population import by_table
from retention_worker.demo.rows import AccountRows, AccountSpec, account_rows
from retention_worker.demo.scene import DemoScene
from retention_worker.demo.tenants import START, TENANTS, account
from retention_worker.embedded.tables import TableRows

# A regular user comes in every second half month, in its last days: within 36 days, which is less
# than the shortest period. Who missed a turn comes no more.
_TURNS = 2
_LAST_DAYS = 4
_REGULAR = "SELECT id, tenant_id FROM accounts WHERE last_activity_at > %s ORDER BY 1"
_SINCE = timedelta(days=39)
# Of ten regular users of the first days so many never stop; of the others, newcomers among them,
# this share stops at each turn.
_FAITHFUL_OF_TEN = 5
_FIRST_DAYS = timedelta(days=10)
_STOP_SHARE = 0.07
_VERIFY_SHARE = 0.08
# New accounts of each tenant in each half month.
_NEWCOMERS = 5
# Somebody of each tenant comes back after long, maybe after the erasure: that is new data.
_RETURNING = """
SELECT DISTINCT ON (tenant_id) id, tenant_id FROM accounts
 WHERE last_activity_at < %s AND id::text NOT IN (SELECT account_id FROM retention.hold)
 ORDER BY tenant_id, md5(id::text || %s)
"""


class Traffic:
    """Draws the rows of one half month after the other; `faithful` are users who never stop."""

    def __init__(self, scene: DemoScene, random: Random) -> None:
        self._scene = scene
        self._random = random
        first = scene.rows(_REGULAR, START - _FIRST_DAYS)
        self.faithful = {name for name, _ in first if name.int // _TURNS % 10 < _FAITHFUL_OF_TEN}

    def half_month(self, number: int, end: datetime) -> Iterator[TableRows]:
        """What the application stores in the half month before `end`, parents before children."""
        return by_table(self._accounts(number, end))

    def _accounts(self, number: int, end: datetime) -> Iterator[AccountRows]:
        for name, tenant in self._scene.rows(_REGULAR, end - _SINCE):
            turn = name.int % _TURNS == number % _TURNS
            if turn and (name in self.faithful or self._random.random() >= _STOP_SHARE):
                verifies = self._random.random() < _VERIFY_SHARE
                yield self._visit(tenant, end, name, verifies=verifies)
        for name, tenant in self._scene.rows(_RETURNING, end - 2 * _SINCE, str(number)):
            yield self._visit(tenant, end, name, verifies=True)
        for tenant in TENANTS:
            for _ in range(_NEWCOMERS):
                yield account_rows(self._random, self._spec(tenant, end, verifies=True))

    def _visit(self, tenant: str, end: datetime, name: UUID, *, verifies: bool) -> AccountRows:
        visit = account_rows(self._random, self._spec(tenant, end, verifies=verifies), name)
        del visit.tables["public.accounts"]  # it is there already
        return visit

    def _spec(self, tenant: str, end: datetime, *, verifies: bool) -> AccountSpec:
        at = end - timedelta(seconds=self._random.randrange(3600, _LAST_DAYS * 86_400))
        return account(tenant, at, transactions=int(verifies), authentications=int(not verifies))
