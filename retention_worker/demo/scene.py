"""The demo's scene: a throwaway database, the sample files, and a worker whose clocks we move."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from shutil import copytree
from typing import Any

import structlog
from pydantic import SecretStr

from retention_worker import clock
from retention_worker.configfiles.datamap import load_datamap
from retention_worker.configfiles.policies import load_policies
from retention_worker.demo import reference_schema
from retention_worker.demo.population import population, tenant_rows
from retention_worker.demo.tenants import START, TENANTS, first_day
from retention_worker.domain.lane.report import SweepReport
from retention_worker.domain.policy.policy import Policy
from retention_worker.embedded import EmbeddedServer
from retention_worker.embedded.tables import (
    TableRows,
    copy_rows,
    insert_rows,
    read_rows,
    run_script,
)
from retention_worker.service.context import Context
from retention_worker.service.doctor import grants_sql
from retention_worker.service.objects.drain import drain
from retention_worker.service.sweep.sweep import sweep
from retention_worker.settings import PREFIX, WorkerSettings
from retention_worker.store import catalog
from retention_worker.store.connection.pool import Pool
from retention_worker.store.migrations import migrate

ROLE = "retention_worker"
_DATABASE = "demo"
_OWNER = "postgres"
_COUNTS = files("retention_worker.demo").joinpath("counts.sql").read_text(encoding="utf-8")

Counts = Counter[tuple[str, str]]
"""Rows of the reference schema by tenant and kind."""


@dataclass
class SimulatedClock:
    """Both clocks of the worker, its own and the database's: they say what the story says."""

    now: datetime

    def __call__(self, *_: object) -> datetime:
        """The simulated time."""
        return self.now

    def forward(self, **length: float) -> None:
        """Move the time on by a timedelta's arguments."""
        self.now += timedelta(**length)


@dataclass(kw_only=True)
class DemoScene:
    """What the story plays with; `dsn` is the superuser's, which the worker never has.

    `stored` counts the rows that were ever put in, `pictures` names the files behind the images.
    """

    version: str
    dsn: str
    images: Path
    clock: SimulatedClock
    context: Context
    stored: Counts = field(default_factory=Counter)
    pictures: set[str] = field(default_factory=set)

    @property
    def now(self) -> datetime:
        """The simulated time."""
        return self.clock.now

    @property
    def time(self) -> str:
        """The simulated time, for people."""
        return f"{self.now:%a %d %b %Y %H:%M} UTC"

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query of the demo's own."""
        return read_rows(self.dsn, sql, parameters)

    def counts(self) -> Counts:
        """The rows that are there now, in SQL that shares nothing with the worker's."""
        return Counter({(tenant, kind): number for tenant, kind, number in self.rows(_COUNTS)})

    def load(self) -> None:
        """Fill the database with the first day's accounts."""
        copy_rows(self.dsn, [tenant_rows(TENANTS, created_at=START)])
        copy_rows(self.dsn, self._with_pictures(population(first_day(), now=START)))
        self.stored = self.counts()

    def insert(self, parts: Iterable[TableRows]) -> None:
        """Store what the application stores; the schema's triggers move the last activity."""
        before = self.counts()
        insert_rows(self.dsn, self._with_pictures(parts))
        self.stored += self.counts() - before

    def policy_file(self, tenant: str) -> Path:
        """The tenant's file, for somebody to edit."""
        return self.context.settings.config_dir / "tenants" / f"{tenant}.yaml"

    def policies(self) -> dict[str, Policy]:
        """The policies as the worker reads them, by tenant_id."""
        settings = self.context.settings
        found = load_policies(settings.config_dir, settings.bounds).files.values()
        return {file.policy.tenant_id: file.policy for file in found}

    def sweep(self) -> SweepReport:
        """A sweep by the worker, and the deletion of the images whose rows went."""
        report = sweep(self.context)
        drain(self.context)
        return report

    def _with_pictures(self, parts: Iterable[TableRows]) -> Iterator[TableRows]:
        """Pass the rows on, and store a small file for each image that a row names."""
        for part in parts:
            if "object_uri" in part.columns:
                for row in part.rows:
                    path = self.images / row[part.columns.index("object_uri")]
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(b"an image")
                    self.pictures.add(str(path.relative_to(self.images)))
            yield part


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the user's settings away from the demo, and logs away from its output."""
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
        # Beside the server's log: its supervisor removes the folder even after a kill -9.
        config, images = (server.log_path.parent / name for name in ("config", "images"))
        images.mkdir()
        with as_file(files("retention_worker.demo") / "config") as samples:
            copytree(samples, config)
        settings = WorkerSettings(
            _env_file=None,
            database_url=SecretStr(dsn.replace(f"{_OWNER}@", f"{ROLE}@", 1)),
            config_dir=config,
            # Nobody else uses this database: no pauses, and patience with a busy machine.
            duty_cycle_percent=100,
            batch_deadline_ms=450,
            object_files_root=images,
        )
        at = SimulatedClock(START)
        context = Context(
            settings=settings,
            pool=Pool(settings.dsn()),
            clock=at,
            database_clock=at,
            monotonic=clock.monotonic,
        )
        try:
            _prepare(dsn, context)
            version = ".".join(map(str, server.version))
            yield DemoScene(version=version, dsn=dsn, images=images, clock=at, context=context)
        finally:
            context.pool.close()


def _prepare(dsn: str, context: Context) -> None:
    """Make both schemas, and the role with the grants that `doctor --sql` prints."""
    schema = context.settings.schema_name
    run_script(dsn, reference_schema())
    run_script(dsn, f"CREATE ROLE {ROLE} LOGIN")
    datamap = load_datamap(context.settings.config_dir).datamap
    owner = Pool(dsn)
    try:
        with owner.connection() as conn:
            found = catalog.read(conn, catalog.mapped_tables(datamap))
            run_script(dsn, grants_sql(datamap, found, schema, ROLE))
    finally:
        owner.close()
    with context.pool.connection() as conn:
        migrate(conn, schema)
