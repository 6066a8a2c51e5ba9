"""A product's database as an integrator finds it: its schema, a data map, the worker's role.

What should be there after a sweep is computed in Python, loaded into a twin of the database, and
compared with every row of every table.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.report import LanePlan, LaneReport
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.doctor import grants_sql
from retention_worker.service.plan.plan import plan
from retention_worker.service.sweep.sweep import sweep
from retention_worker.store import catalog
from retention_worker.store.migrations import migrate
from tests.config_folder import ConfigFolder
from tests.database import Database, temporary_database
from tests.grants import ROLE, SCHEMA, create_role
from tests.server import Server
from tests.snapshot import diff, snapshot
from tests.worker import MovingClock, open_worker

Row = dict[str, Any]
Rows = dict[str, list[Row]]
"""schema.table -> its rows, each with every column but the generated ones."""

HERE = Path(__file__).parent


@contextmanager
def template_of(server: Server, folder: Path, schema: str, datamap: str) -> Iterator[str]:
    """The name of a database with the product's schema, the worker's own, and the map's grants."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "datamap.yaml").write_text(datamap, encoding="utf-8")
    parsed = load_datamap(folder).datamap
    with temporary_database(server) as database:
        with database.connect() as conn:
            create_role(conn)
            conn.execute(schema)
            found = catalog.read(conn, catalog.mapped_tables(parsed))
            conn.execute(grants_sql(parsed, found, SCHEMA, ROLE))
        with database.connect_worker() as conn:
            migrate(conn, SCHEMA)
        yield database.name


@dataclass(kw_only=True)
class Site:
    """One installation: the database, its configuration, a clock, and how to look at it."""

    server: Server
    template: str
    database: Database
    config: ConfigFolder
    clock: MovingClock
    settings: dict[str, Any] = field(default_factory=dict)

    def load(self, rows: Rows) -> None:
        """Insert rows as they are: no trigger fires and no foreign key is asked."""
        with self.database.connect() as conn:
            _load(conn, rows)

    def execute(self, statement: str, *parameters: Any) -> None:
        """Run a statement as the superuser."""
        with self.database.connect() as conn:
            conn.execute(statement, parameters or None)

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.database.connect() as conn:
            return conn.execute(statement, parameters or None).fetchall()

    @contextmanager
    def worker(self, **settings: Any) -> Iterator[Context]:
        """A worker in the least-privilege role, without the blast-radius guard."""
        chosen = {"guard_percent": 100} | self.settings | settings
        with open_worker(self.database.worker_dsn, self.config, self.clock, **chosen) as worker:
            yield worker

    def sweep(self, **settings: Any) -> dict[tuple[str, Scope | None], LaneReport]:
        """One sweep, lane by lane; it must say what `plan` said before it."""
        with self.worker(**settings) as worker:
            planned = {(lane.tenant, lane.scope): lane for lane in plan(worker).lanes}
            done = {(lane.tenant, lane.scope): lane for lane in sweep(worker).lanes}
        assert planned.keys() == done.keys()
        for key, lane in done.items():
            assert _said(planned[key]) == _did(lane), key
        return done

    def sweep_again(self, **settings: Any) -> None:
        """A second sweep finds nothing, behind the watermark included."""
        before = self.rows_now()
        with self.worker(**settings) as worker:
            report = sweep(worker, reconcile=True)
        for lane in report.lanes:
            said = (lane.accounts, dict(lane.rows), lane.stop_reason)
            assert said == (0, {}, StopReason.EXHAUSTED), lane.reason
        assert diff(before, self.rows_now()) == {}

    def rows_now(self) -> Mapping[str, list[str]]:
        """Every row of the product's tables."""
        with self.database.connect() as conn:
            return snapshot(conn, exclude={SCHEMA})

    def expect(self, rows: Rows) -> None:
        """Every row of every table is what it should be, and there is no other."""
        with temporary_database(self.server, self.template) as twin, twin.connect() as conn:
            _load(conn, rows)
            wanted = snapshot(conn, exclude={SCHEMA})
        assert diff(wanted, self.rows_now()) == {}

    def uris(self) -> list[tuple[str, str, str]]:
        """The outbox: tenant, account and URI, sorted."""
        found = self.query("SELECT tenant_id, account_id, uri FROM retention.object_deletion")
        return sorted((str(tenant), str(account), str(uri)) for tenant, account, uri in found)

    def erasures(self) -> list[tuple[str, str, str, bool]]:
        """The ledger's rows: tenant, account, scope, complete, in the order of their writing."""
        found = self.query(
            "SELECT tenant_id, subject_id, scope, complete FROM retention.erasure ORDER BY id"
        )
        return [(str(t), str(a), str(s), bool(c)) for t, a, s, c in found]


def _said(lane: LanePlan) -> tuple[int, dict[str, int], int]:
    return lane.due, dict(lane.rows), lane.objects_queued


def _did(lane: LaneReport) -> tuple[int, dict[str, int], int]:
    return lane.accounts, dict(lane.rows), lane.objects_queued


@contextmanager
def site_of(
    server: Server, template: str, folder: Path, datamap: str, now: datetime
) -> Iterator[Site]:
    """A fresh copy of a product's database with a configuration of its own."""
    config = ConfigFolder(folder / "config")
    config.datamap.write_text(datamap, encoding="utf-8")
    with temporary_database(server, template) as database:
        yield Site(
            server=server,
            template=template,
            database=database,
            config=config,
            clock=MovingClock(now),
        )


def changed(
    rows: Rows,
    table: str,
    change: Callable[[Row], Row | None],
    where: Callable[[Row], bool],
) -> Rows:
    """A copy in which some rows of a table are changed (None: gone)."""
    result = copy.deepcopy(rows)
    kept = [change(row) if where(row) else row for row in result[table]]
    result[table] = [row for row in kept if row is not None]
    return result


def without(rows: Rows, table: str, where: Callable[[Row], bool]) -> Rows:
    """A copy in which some rows of a table are gone."""
    return changed(rows, table, lambda _: None, where)


def merged(parts: Sequence[Rows]) -> Rows:
    """The rows of several parts."""
    result: Rows = {}
    for part in parts:
        for table, rows in part.items():
            result.setdefault(table, []).extend(rows)
    return result


def _load(conn: psycopg.Connection, rows: Rows) -> None:
    with conn.transaction(), conn.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL timezone = 'UTC'")
        for table, found in rows.items():
            for row in found:
                cursor.execute(_insert(table, row), list(row.values()))


def _insert(table: str, row: Row) -> Composed:
    return SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
        Identifier(*table.split(".")),
        SQL(", ").join(map(_column, row)),
        SQL(", ").join(SQL("%s") for _ in row),
    )


def _column(name: str) -> SQL:
    # The driver takes a percent sign for a placeholder, in a quoted name too.
    return SQL(Identifier(name).as_string().replace("%", "%%"))
