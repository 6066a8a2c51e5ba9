"""What the application's users notice: its own transactions at a fixed rate, beside an erasure.

The load is open: pgbench begins transactions at the times of a schedule, however long those before
them take, and a transaction that could not begin in time has waited.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from retention_worker.embedded.machine import SYSTEM_ROOT, find_bindir
from retention_worker.service.context import Context
from retention_worker.service.sweep.sweep import sweep
from tests.benchmarks.bare import fair_giant
from tests.benchmarks.bench import Bench, Ratio
from tests.benchmarks.population import Size
from tests.database import Database

__all__ = ["Foreground", "foreground"]

# Far below what the machine can do, so that what waits does so for the erasure.
_RATE, _CLIENTS = 150, 8

_SIGN_IN = """\\set n random(1, {accounts})
INSERT INTO authentications (account_id, succeeded) VALUES (md5('account' || :n)::uuid, true);
"""
_VERIFY = """\\set n random(1, {accounts})
BEGIN;
INSERT INTO transactions (tenant_id, account_id, country, document_type)
SELECT tenant_id, id, 'DE', 'PASSPORT' FROM accounts WHERE id = md5('account' || :n)::uuid
RETURNING id AS tid \\gset
INSERT INTO images (transaction_id, kind, object_uri) SELECT ':tid', k, 's3://kyc/:tid/' || k
FROM unnest(ARRAY['SELFIE', 'ID_FRONT', 'ID_BACK', 'AUDIT']) AS k;
INSERT INTO face_vectors (transaction_id, model, embedding) VALUES (':tid', 'm', 'x');
INSERT INTO extracted_data (transaction_id, field, value)
SELECT ':tid', 'f' || f, 'v' FROM generate_series(1, 6) AS f;
UPDATE transactions SET status = 'DONE', decision = 'ACCEPTED', completed_at = now()
WHERE id = ':tid';
COMMIT;
"""


@dataclass(frozen=True, kw_only=True)
class Foreground:
    """p99 against a quiet window before it, and what else happened in all windows."""

    worker: Ratio
    giant: Ratio
    quiet_ms: float
    longest_wait_ms: float
    deadlocks: int
    batches_ms: list[float]


def foreground(bench: Bench, size: Size, *, pairs: int, controls: int, seconds: int) -> Foreground:
    """Measure pairs of windows, quiet and beside the worker at its default pace."""
    worker, giant, quiet, batches = [], [], [], []
    longest, deadlocks = 0.0, 0
    for number in range(pairs + controls):
        with bench.database(size) as database, _Watcher(database) as watcher:
            quiet.append(_window(bench, database, size, seconds, lambda: None))
            if number < pairs:
                with structlog.testing.capture_logs() as logs, _sweeping(bench, database):
                    beside = _window(bench, database, size, seconds, lambda: None)
                batches += [e["milliseconds"] for e in logs if e["event"] == "batch_committed"]
                worker.append(beside / quiet[-1])
                longest = max(longest, watcher.longest)
                deadlocks += watcher.deadlocks()
            else:
                with database.connect() as conn:
                    beside = _window(bench, database, size, seconds, lambda: fair_giant(conn))
                giant.append(beside / quiet[-1])
    return Foreground(
        worker=Ratio.of(worker),
        giant=Ratio.of(giant),
        quiet_ms=sorted(quiet)[len(quiet) // 2],
        longest_wait_ms=longest * 1000,
        deadlocks=deadlocks,
        batches_ms=sorted(batches),
    )


def _pgbench() -> Path:
    folders = [find_bindir(), *sorted(SYSTEM_ROOT.glob("*/bin"), reverse=True)]
    return next(each / "pgbench" for each in folders if (each / "pgbench").exists())


def _window(
    bench: Bench, database: Database, size: Size, seconds: int, meanwhile: Callable[[], object]
) -> float:
    """The p99 of a window, in milliseconds; `meanwhile` is done a second into it."""
    with TemporaryDirectory() as folder:
        scripts = []
        for name, text in (("sign_in", _SIGN_IN), ("verify", _VERIFY)):
            script = Path(folder) / name
            script.write_text(text.format(accounts=size.accounts), "utf-8")
            scripts += ["-f", f"{script}@{4 if name == 'sign_in' else 1}"]
        command = [_pgbench(), "-n", "-R", _RATE, "-c", _CLIENTS, "-j", 1, "-T", seconds, "-l"]
        with subprocess.Popen(
            [*map(str, command), "--log-prefix", f"{folder}/log", *scripts, database.dsn],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            time.sleep(1)
            meanwhile()
            assert process.stderr is not None
            complaints = process.stderr.read().decode()
        assert process.returncode == 0, complaints
        took = [
            int(line.split()[2]) / 1000
            for log in Path(folder).glob("log*")
            for line in log.read_text().splitlines()
        ]
    return sorted(took)[int(len(took) * 0.99)]


@contextmanager
def _sweeping(bench: Bench, database: Database) -> Iterator[Context]:
    with bench.worker(database, duty_cycle_percent=10) as worker:
        thread = threading.Thread(target=_until_told, args=[worker])
        thread.start()
        try:
            yield worker
        finally:
            worker.stop.set()
            thread.join()


def _until_told(worker: Context) -> None:
    while not worker.stop.is_set():
        sweep(worker)


class _Watcher:
    """Looks every few milliseconds who of the application waits for the worker, and how long."""

    _BLOCKED = """
        SELECT COALESCE(max(extract(epoch FROM clock_timestamp() - l.waitstart)), 0)::float8
          FROM pg_locks l WHERE NOT l.granted AND EXISTS (
               SELECT 1 FROM pg_stat_activity a WHERE a.pid = ANY (pg_blocking_pids(l.pid))
                  AND a.application_name = 'retention-worker')"""

    def __init__(self, database: Database) -> None:
        self._conn = database.connect()
        self._over = threading.Event()
        self.longest = 0.0
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> _Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._conn.close()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            row = self._conn.execute(self._BLOCKED).fetchone()
            self.longest = max(self.longest, row[0] if row else 0.0)

    def deadlocks(self) -> int:
        """How many the server has seen in the database."""
        row = self._conn.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
        return int(row[0]) if row else 0
