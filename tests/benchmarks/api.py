"""Reads of the API at 100 a second beside a running sweep: `python -m tests.benchmarks.api`.

Open loop: each request has its moment, and what it waits for is counted from there, so that a slow
answer does not make the next ones look quick. `serve` and `sweep` are processes of their own.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path

import httpx
import psycopg

from tests.acceptance.program import Program
from tests.config_folder import ConfigFolder
from tests.database import prepare_reference, temporary_database
from tests.factories import AccountIds, make_account
from tests.server import start_server

RATE = 100
SECONDS = 20
WARM_UP_SECONDS = 3
DUE, READ = 2_000, 200
# So that a sweep at the default pace lasts longer than the measurement.
BATCH = 10


def paths(account: AccountIds) -> list[str]:
    """What is read: mostly transactions, now and then the settings and an explanation."""
    base = f"/api/v1/accounts/{account.account}/workflow-executions"
    return [
        *(f"{base}/{transaction}" for transaction in account.transactions),
        "/api/v1/retention/data-settings",
        f"/api/v1/retention/accounts/{account.account}",
    ]


async def measure(base_url: str, token: str, asked: list[str], seconds: int) -> list[float]:
    """Milliseconds from each request's moment to the end of its answer."""
    took: list[float] = []
    failed: list[int | str] = []
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=base_url, headers=headers, limits=limits, timeout=60
    ) as http:

        async def one(path: str, at: float) -> None:
            status: int | str
            try:
                status = (await http.get(path)).status_code
            except httpx.TransportError as exc:
                status = type(exc).__name__
            took.append((time.perf_counter() - at) * 1000)
            if status != 200:
                failed.append(status)

        start = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number, path in zip(range(RATE * seconds), cycle(asked), strict=False):
                at = start + number / RATE
                await asyncio.sleep(max(0.0, at - time.perf_counter()))
                group.create_task(one(path, at))
    assert not failed, failed
    return took


def show(title: str, took: list[float]) -> None:
    """One line."""
    cuts = statistics.quantiles(took, n=1000)
    sys.stdout.write(
        f"{title}: {len(took)} reads at {RATE}/s, p50 {cuts[499]:.1f} ms, p99 {cuts[989]:.1f} ms, "
        f"max {max(took):.1f} ms\n"
    )


def fill(conn: psycopg.Connection) -> list[str]:
    """Accounts that are due, and others that are read."""
    now = datetime.now(UTC)
    for number in range(DUE):
        make_account(conn, last_activity=now - timedelta(days=400, seconds=number), transactions=2)
    accounts = [make_account(conn, last_activity=now, transactions=5) for _ in range(READ)]
    conn.execute("ANALYZE")
    return [path for account in accounts for path in paths(account)]


def main() -> None:
    """Measure without a sweep and beside one."""
    with (
        tempfile.TemporaryDirectory() as folder,
        start_server() as server,
        temporary_database(server) as database,
    ):
        prepare_reference(database)
        config = ConfigFolder(Path(folder) / "config")
        config.write_policy("acme", all_credentials="360 days", biometrics="90 days")
        with database.connect() as conn:
            asked = fill(conn)
        environment = {
            "RETENTION_CONFIG_DIR": str(config.path),
            "RETENTION_DATABASE_URL": database.worker_dsn,
            "RETENTION_GUARD_PERCENT": "100",
            "RETENTION_BATCH_MAX_ACCOUNTS": str(BATCH),
        }
        program = Program(folder=Path(folder), environment=environment)
        made = program.json("client", "create", "reader", "--tenant", "acme", "--scope", "retrieve")
        with program.start("serve", "--port", "0") as serving:
            port = serving.await_events("web_started")[0]["port"]
            url = f"http://127.0.0.1:{port}"
            answer = httpx.post(
                f"{url}/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(made["client_id"], made["client_secret"]),
            )
            token = answer.json()["access_token"]
            asyncio.run(measure(url, token, asked, WARM_UP_SECONDS))
            show("alone", asyncio.run(measure(url, token, asked, SECONDS)))
            (Path(folder) / "sweep").mkdir()
            sweeper = Program(folder=Path(folder) / "sweep", environment=environment)
            with sweeper.start("sweep", "--json") as sweeping:
                time.sleep(2)
                took = asyncio.run(measure(url, token, asked, SECONDS))
                went_on = sweeping.process.poll() is None
                show("beside a sweep", took)
                sys.stdout.write(
                    "the sweep went on to the end of the measurement\n"
                    if went_on
                    else "the sweep ended before the measurement: raise DUE\n"
                )


if __name__ == "__main__":
    main()
