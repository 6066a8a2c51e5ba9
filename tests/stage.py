"""What tests of the services play with: database, files, a clock that moves, a worker."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from retention_worker.domain.lane.report import LanePlan, LaneReport, PlanReport, SweepReport
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.plan.plan import plan
from retention_worker.service.sweep.sweep import sweep
from tests.config_folder import ConfigFolder
from tests.database import Database
from tests.factories import AccountIds, make_account
from tests.worker import MovingClock

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
# Where the guard is not the subject.
UNGUARDED = {"guard_percent": 100}


@dataclass
class Stage:
    """What a test of a service plays with: a database, files, a clock, a worker."""

    database: Database
    conn: psycopg.Connection
    config: ConfigFolder
    clock: MovingClock
    worker: Context

    def sweep(self, **options: Any) -> SweepReport:
        """One sweep now."""
        return sweep(self.worker, **options)

    def plan(self, **options: Any) -> PlanReport:
        """One plan now."""
        return plan(self.worker, **options)

    def set(self, **settings: Any) -> None:
        """Change the worker's settings."""
        self.worker.settings = self.worker.settings.model_copy(update=settings)

    def account(self, *, idle_days: float, **details: Any) -> AccountIds:
        """An account that was last active so many days ago."""
        return make_account(
            self.conn, last_activity=self.clock.now - timedelta(days=idle_days), **details
        )

    def count(self, query: str, *values: Any) -> int:
        """The number that a query gives."""
        row = self.conn.execute(query, values).fetchone()
        assert row is not None
        return int(row[0])

    def biometrics(self, account: AccountIds) -> int:
        """How many biometric rows the account has."""
        return self.count(
            "SELECT (SELECT count(*) FROM face_vectors WHERE transaction_id = ANY (%s)) "
            "+ (SELECT count(*) FROM face_templates WHERE transaction_id = ANY (%s)) "
            "+ (SELECT count(*) FROM authentication_vectors WHERE account_id = %s)",
            list(account.transactions),
            list(account.transactions),
            account.account,
        )

    def others(self, account: AccountIds) -> int:
        """How many other credentials the account has."""
        return self.count(
            "SELECT (SELECT count(*) FROM images WHERE transaction_id = ANY (%s) "
            "AND kind <> 'AUDIT') "
            "+ (SELECT count(*) FROM extracted_data WHERE transaction_id = ANY (%s))",
            list(account.transactions),
            list(account.transactions),
        )


def lane(report: SweepReport, scope: Scope, tenant: str = "acme") -> LaneReport:
    """One lane of a sweep's report."""
    return next(each for each in report.lanes if (each.tenant, each.scope) == (tenant, scope))


def planned(report: PlanReport, scope: Scope, tenant: str = "acme") -> LanePlan:
    """One lane of a plan."""
    return next(each for each in report.lanes if (each.tenant, each.scope) == (tenant, scope))
