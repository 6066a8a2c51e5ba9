"""The demo's scene: a throwaway database, the sample files, and a worker whose clocks we move."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from shutil import copytree
from typing import Any

import structlog
from pydantic import SecretStr

from retention_worker import clock
from retention_worker.configfiles.datamap import load_datamap
from retention_worker.demo import reference_schema
from retention_worker.demo.tenants import START
from retention_worker.embedded import EmbeddedServer, tables
from retention_worker.service.context import Context
from retention_worker.service.doctor import grants_sql
from retention_worker.settings import PREFIX, WorkerSettings
from retention_worker.store import catalog
from retention_worker.store.connection.pool import Pool
from retention_worker.store.migrations import migrate

ROLE = "retention_worker"
_DATABASE = "demo"
_OWNER = "postgres"


@dataclass
class SimulatedClock:
    """Both clocks of the worker, its own and the database's: they say what the story says."""

    now: datetime

    def __call__(self, *_: object) -> datetime:
        """The time."""
        return self.now

    def forward(self, **length: float) -> None:
        """Move on by a timedelta's arguments."""
        self.now += timedelta(**length)


@dataclass(kw_only=True)
class DemoScene:
    """What the story plays with; `dsn` is the superuser's, which the worker never has."""

    version: str
    dsn: str
    config: Path
    files: Path
    clock: SimulatedClock
    context: Context

    @property
    def now(self) -> datetime:
        """The simulated time."""
        return self.clock.now

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query of the demo's own."""
        return tables.read_rows(self.dsn, sql, parameters)

    def number(self, sql: str, *parameters: Any) -> int:
        """The one number that a query gives."""
        return int(self.rows(sql, *parameters)[0][0])

    def policy_file(self, tenant: str) -> Path:
        """The tenant's file, for somebody to edit."""
        return self.config / "tenants" / f"{tenant}.yaml"


@contextmanager
def undisturbed() -> Iterator[None]:
    """Neither the user's settings reach the demo nor logs its output."""
    theirs = [
        name for name in os.environ if name.startswith((PREFIX, "PG")) and name != "PG_BINDIR"
    ]
    removed = {name: os.environ.pop(name) for name in theirs}
    configured = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    disabled = logging.root.manager.disable
    logging.disable()  # the driver's own
    try:
        yield
    finally:
        os.environ.update(removed)
        logging.disable(disabled)
        structlog.configure(**configured)


@contextmanager
def open_scene() -> Iterator[DemoScene]:
    """Start everything; it is gone when the caller leaves, or when this process ends.

    Raises:
        EmbeddedServerError: no PostgreSQL can be had.
    """
    with EmbeddedServer({"jit": "off"}) as server:  # many small statements
        server.create_database(_DATABASE)
        dsn = server.dsn(_DATABASE)
        # Beside the server's log: the server's supervisor removes the folder even after a kill -9.
        config, images = (server.log_path.parent / name for name in ("config", "images"))
        images.mkdir()
        with as_file(files("retention_worker.demo") / "config") as samples:
            copytree(samples, config)
        at = SimulatedClock(START)
        pool = Pool(dsn.replace(f"{_OWNER}@", f"{ROLE}@", 1))
        try:
            settings = _settings(dsn, config, images)
            _prepare(dsn, pool, settings)
            yield DemoScene(
                version=".".join(map(str, server.version)),
                dsn=dsn,
                config=config,
                files=images,
                clock=at,
                context=Context(
                    settings=settings,
                    pool=pool,
                    clock=at,
                    database_clock=at,
                    monotonic=clock.monotonic,
                ),
            )
        finally:
            pool.close()


def _settings(dsn: str, config: Path, images: Path) -> WorkerSettings:
    return WorkerSettings(
        _env_file=None,
        database_url=SecretStr(dsn.replace(f"{_OWNER}@", f"{ROLE}@", 1)),
        config_dir=config,
        # Nobody else uses this database: no pauses, and patience with a busy machine.
        duty_cycle_percent=100,
        batch_deadline_ms=450,
        object_files_root=images,
    )


def _prepare(dsn: str, pool: Pool, settings: WorkerSettings) -> None:
    """The reference schema, the role with the grants that `doctor --sql` prints, its own schema."""
    tables.run_script(dsn, reference_schema())
    tables.run_script(dsn, f"CREATE ROLE {ROLE} LOGIN")
    datamap = load_datamap(settings.config_dir).datamap
    owner = Pool(dsn)
    try:
        with owner.connection() as conn:
            found = catalog.read(conn, catalog.mapped_tables(datamap))
            tables.run_script(dsn, grants_sql(datamap, found, settings.schema_name, ROLE))
    finally:
        owner.close()
    with pool.connection() as conn:
        migrate(conn, settings.schema_name)
