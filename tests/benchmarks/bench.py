"""What all measurements share: a server that is tuned as one for production, databases, workers."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from retention_worker.embedded import EmbeddedServer
from retention_worker.service.context import Context
from tests.benchmarks.population import CUTOFF_DAYS, NOW, Size, fill, tenants_of
from tests.config_folder import ConfigFolder
from tests.database import Database, prepare_reference, temporary_database
from tests.worker import MovingClock, open_worker

__all__ = ["BENCH_SETTINGS", "Bench", "Ratio", "open_bench"]

# Durable as in production: an fsync a commit is what small transactions pay and a giant does not.
SERVER = {
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",  # no checkpoint in the middle of a contender
    "checkpoint_timeout": "1h",
    "autovacuum": "off",  # it would run in some contenders and not in others
    "track_io_timing": "off",
}


# Guards are on where they can be: only the blast radius is off, because all that is due goes in one
# sweep, which it exists to stop.
BENCH_SETTINGS = {"guard_percent": 100, "batch_deadline_ms": 100}


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The median of ratios of interleaved runs, the least and the most."""

    median: float
    least: float
    most: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Ratio:
        """The ratio of some runs."""
        return cls(
            median=statistics.median(values), least=min(values), most=max(values), runs=len(values)
        )

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f}, {self.runs} runs)"


@dataclass(kw_only=True)
class Bench:
    """A server with a filled template per size, from which each run gets its own copy."""

    server: EmbeddedServer
    config: ConfigFolder
    quick: bool
    _stack: ExitStack = field(default_factory=ExitStack)
    _templates: dict[Size, str] = field(default_factory=dict)

    @contextmanager
    def database(self, size: Size) -> Iterator[Database]:
        """A copy of the filled database; what the copying wrote is on disk already."""
        if size not in self._templates:
            template = self._stack.enter_context(temporary_database(self.server))
            prepare_reference(template)
            with template.connect() as conn:
                fill(conn, size)
            self._templates[size] = template.name
        for file in self.config.tenants.glob("*.yaml"):
            file.unlink()
        for tenant in tenants_of(size):
            self.config.write_policy(tenant, all_credentials=f"{CUTOFF_DAYS} days")
        with temporary_database(self.server, self._templates[size]) as database:
            with database.connect() as conn:
                warm(conn)
                conn.execute("CHECKPOINT")
            yield database

    @contextmanager
    def worker(self, database: Database, **settings: Any) -> Iterator[Context]:
        """A worker of the least-privilege role, as `run` has it."""
        chosen = BENCH_SETTINGS | settings
        with open_worker(database.worker_dsn, self.config, MovingClock(NOW), **chosen) as worker:
            yield worker


def warm(conn: psycopg.Connection) -> None:
    """Read everything once, so that no contender pays for the copy's cold pages."""
    conn.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
    conn.execute(
        "SELECT sum(pg_prewarm(c.oid)) FROM pg_class c JOIN pg_namespace n "
        "ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'retention', 'pg_toast') "
        "AND c.relkind IN ('r', 'i', 't')"
    )


@contextmanager
def open_bench(*, quick: bool, settings: Mapping[str, str] | None = None) -> Iterator[Bench]:
    """A server of the benchmark's own; gone at the end."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedServer(settings=SERVER | dict(settings or {})) as server,
    ):
        bench = Bench(server=server, config=ConfigFolder(Path(folder) / "config"), quick=quick)
        with bench._stack:
            yield bench
