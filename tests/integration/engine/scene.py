"""A population under traffic: who is away, who is active, and what has to be true at the end."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from retention_worker.demo.population import Cohort, population, tenant_rows
from retention_worker.demo.rows import AccountSpec
from retention_worker.domain.lane.lane import StopReason
from retention_worker.embedded.tables import copy_rows
from retention_worker.service.sweep.sweep import sweep
from tests.config_folder import ConfigFolder
from tests.database import Database
from tests.integration.engine import audit
from tests.integration.engine.sweeper import Order, Sweeper
from tests.integration.engine.traffic import People, Record
from tests.stage import NOW, UNGUARDED
from tests.worker import MovingClock, open_worker

# The application's time: after every erasure, whose transactions take no new biometrics.
APPLICATION_NOW = NOW + timedelta(days=1)
BIOMETRICS_DAYS, ALL_DAYS = 90, 360
# On a machine that does much else a batch gets nowhere in a tenth of a second.
BUSY_DEADLINE_MS = 450
# Swept for their due accounts, each with both periods; and one whose file says never.
TENANTS = ("acme", "birch")
QUIET = "quiet"
_LEFT = """
    SELECT a.id::text FROM accounts a
     WHERE a.tenant_id = ANY (%(tenants)s) AND a.last_activity_at <= %(cutoff)s
       AND NOT EXISTS (SELECT 1 FROM retention.hold h WHERE h.account_id = a.id::text)
       AND NOT EXISTS (SELECT 1 FROM face_templates f JOIN transactions t ON t.id = f.transaction_id
                        WHERE t.account_id = a.id AND f.created_at > %(cutoff)s)
       AND (EXISTS (SELECT 1 FROM authentication_vectors v WHERE v.account_id = a.id)
            OR EXISTS (SELECT 1 FROM face_vectors v JOIN transactions t ON t.id = v.transaction_id
                        WHERE t.account_id = a.id)
            OR EXISTS (SELECT 1 FROM face_templates v JOIN transactions t ON t.id = v.transaction_id
                        WHERE t.account_id = a.id)
            OR %(others)s AND EXISTS (
                SELECT 1 FROM images i JOIN transactions t ON t.id = i.transaction_id
                 WHERE t.account_id = a.id AND i.kind <> 'AUDIT'))
"""


@dataclass
class Scene:
    """A database with people in it, and its configuration."""

    database: Database
    config: ConfigFolder
    people: list[People]
    loaded: dict[str, int]
    epoch: float
    log: Path

    def order(self, dsn: str | None = None, **settings: Any) -> Order:
        """What a sweeper is told."""
        chosen = UNGUARDED | {
            "max_clock_skew_seconds": 3600,
            "duty_cycle_percent": 50,
            "batch_deadline_ms": BUSY_DEADLINE_MS,
        }
        return Order(
            dsn=dsn or self.database.worker_dsn,
            config=str(self.config.path),
            start=NOW.isoformat(),
            epoch=self.epoch,
            settings=chosen | settings,
        )

    def sweeper(self, dsn: str | None = None, **settings: Any) -> Sweeper:
        """A worker in a process of its own."""
        return Sweeper(self.order(dsn, **settings), self.log)

    def end(self, records: Iterable[Record]) -> None:
        """One sweep after all is quiet leaves nothing due; then every invariant holds."""
        records = list(records)
        clock = MovingClock(NOW + timedelta(days=2))
        merges = [each for record in records for each in record.merges]
        with (
            self.database.connect() as conn,
            open_worker(self.database.worker_dsn, self.config, clock, **UNGUARDED) as worker,
        ):
            # Late by so much that whatever was deferred for a time is looked at again; and what
            # came behind a watermark, dated back, is for reconcile to find.
            report = sweep(worker, reconcile=True)
            assert {each.stop_reason for each in report.lanes} == {StopReason.EXHAUSTED}
            self._check_left(conn, clock.now)
            audit.check(conn, self.loaded, merges)
            self._check_held(conn, records)
            self._check_quiet(conn)

    def _check_left(self, conn: psycopg.Connection, now: datetime) -> None:
        for days, others in ((BIOMETRICS_DAYS, False), (ALL_DAYS, True)):
            values = {
                "tenants": list(TENANTS),
                "cutoff": now - timedelta(days=days),
                "others": others,
            }
            assert conn.execute(_LEFT, values).fetchall() == []
        kept = conn.execute(
            "SELECT reason, count(*) FROM retention.deferred "
            "WHERE reason NOT IN ('hold', 'newer_activity', 'newer_credential') GROUP BY reason"
        ).fetchall()
        assert kept == []

    def _check_held(self, conn: psycopg.Connection, records: Iterable[Record]) -> None:
        """What was there when a hold was acknowledged is there still."""
        gone = {
            (table, pk)
            for table, pk in conn.execute(
                "SELECT CASE entry WHEN 'selfies and ID images' THEN 'images' "
                "ELSE replace(entry, ' ', '_') END, pk FROM audit.gone"
            )
        }
        for record in records:
            for account, there in record.held.items():
                assert not there & gone, account

    def _check_quiet(self, conn: psycopg.Connection) -> None:
        """A tenant whose periods are never over lost nothing."""
        rows = conn.execute("SELECT 1 FROM audit.gone WHERE tenant = %s", (QUIET,)).fetchall()
        assert rows == []


def prepare_scene(database: Database, config: ConfigFolder, log: Path, *, away: int) -> Scene:
    """Fill the database: for each tenant `away` accounts past a period and a fifth as many not."""
    for tenant in TENANTS:
        config.write_policy(
            tenant, all_credentials=f"{ALL_DAYS} days", biometrics=f"{BIOMETRICS_DAYS} days"
        )
    config.write_policy(QUIET, all_credentials="never")
    everybody = (*TENANTS, QUIET)
    with database.connect() as conn:
        copy_rows(conn, [tenant_rows(everybody, created_at=NOW - timedelta(days=2000))])
        groups = [group for tenant in everybody for group in _groups(tenant, away)]
        copy_rows(conn, population(groups, now=NOW, seed=away))
        people = [_people(conn, tenant) for tenant in TENANTS]
        audit.install(conn, config)
        loaded = audit.count_entries(conn)
    return Scene(database, config, people, loaded, time.time(), log)


def _groups(tenant: str, away: int) -> list[Cohort]:
    def example(transactions: int) -> AccountSpec:
        return AccountSpec(
            tenant=tenant, last_activity=NOW, transactions=transactions, vector_bytes=16
        )

    def days(number: int) -> timedelta:
        return timedelta(days=number)

    return [
        Cohort(accounts=away // 2, youngest=days(100), oldest=days(330), example=example(1)),
        Cohort(accounts=away // 2, youngest=days(380), oldest=days(700), example=example(3)),
        Cohort(accounts=max(away // 5, 2), youngest=days(1), oldest=days(30), example=example(1)),
    ]


def _people(conn: psycopg.Connection, tenant: str) -> People:
    border = NOW - timedelta(days=60)
    query = "SELECT id::text FROM accounts WHERE tenant_id = %s AND last_activity_at "
    away = conn.execute(query + "<= %s ORDER BY id", (tenant, border)).fetchall()
    active = conn.execute(query + "> %s ORDER BY id", (tenant, border)).fetchall()
    return People(
        tenant=tenant, away=[each for (each,) in away], active=[each for (each,) in active]
    )
