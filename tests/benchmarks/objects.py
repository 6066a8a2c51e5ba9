"""How long a drain takes for many objects, beside bulk deletions by the SDK alone, in one run.

Run `python -m tests.benchmarks.objects [OBJECTS]`. Both delete the same number of objects from the
same server (moto's, in a process of its own), turn by turn; the ratio is what counts.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3

from retention_worker.service.objects.drain import drain
from tests.config_folder import ConfigFolder
from tests.database import Database, prepare_reference, temporary_database
from tests.s3 import ENVIRONMENT
from tests.server import start_server
from tests.stage import NOW
from tests.worker import MovingClock, open_worker

_PAIRS = 3
_BULK = 1_000


def main(objects: int) -> None:
    """Print the seconds of each pair, and the ratios."""
    os.environ |= ENVIRONMENT
    port = _free_port()
    os.environ["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{port}"
    program = Path(sys.executable).parent / "moto_server"
    with (
        start_server() as server,
        temporary_database(server) as database,
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [program, "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as store,
    ):
        try:
            prepare_reference(database)
            config = ConfigFolder(Path(folder) / "config")
            config.write_policy("acme", all_credentials="360 days", biometrics="90 days")
            _compare(_client(), database, config, objects)
        finally:
            store.kill()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _client() -> Any:
    client = boto3.client("s3")
    end = time.monotonic() + 30
    while True:
        try:
            client.create_bucket(Bucket="sample-images")
            return client
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _compare(client: Any, database: Database, config: ConfigFolder, objects: int) -> None:
    _drained(client, database, config, 100)  # as in a process that has drained before
    ratios = []
    for pair in range(_PAIRS):
        turns = [_bare, _drained] if pair % 2 else [_drained, _bare]
        seconds = {turn.__name__: turn(client, database, config, objects) for turn in turns}
        ratios.append(seconds["_drained"] / seconds["_bare"])
        print(
            f"{objects:,} objects: bulk deletions {seconds['_bare']:.2f} s, "
            f"drain {seconds['_drained']:.2f} s, ratio {ratios[-1]:.2f}"
        )
    print(
        f"median ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}); to reach: 1.5 at the most"
    )


def _fill(client: Any, objects: int) -> list[str]:
    keys = [f"acme/{number:08d}/selfie.jpg" for number in range(objects)]
    for key in keys:
        client.put_object(Bucket="sample-images", Key=key, Body=b"image")
    return keys


def _bare(client: Any, _: Database, __: ConfigFolder, objects: int) -> float:
    keys = _fill(client, objects)
    begin = time.perf_counter()
    for at in range(0, len(keys), _BULK):
        answer = client.delete_objects(
            Bucket="sample-images",
            Delete={"Objects": [{"Key": key} for key in keys[at : at + _BULK]], "Quiet": True},
        )
        assert not answer.get("Errors")
    return time.perf_counter() - begin


def _drained(client: Any, database: Database, config: ConfigFolder, objects: int) -> float:
    keys = _fill(client, objects)
    with database.connect() as conn:
        conn.execute(
            "INSERT INTO retention.batch (tenant_id, scope, source, map_digest, accounts, counts, "
            "objects, erased_at, body, hash) VALUES ('acme', 'all', 'sweep', '', 1, '{}', %s, %s, "
            "'{}', '')",
            [objects, NOW],
        )
        conn.execute(
            "INSERT INTO retention.object_deletion (tenant_id, account_id, batch_id, entry, uri, "
            "shared, queued_at, retry_at) SELECT 'acme', 'a' || u, (SELECT max(id) FROM "
            "retention.batch), 'selfies and ID images', 's3://sample-images/' || u, false, %s, %s "
            "FROM unnest(%s::text[]) AS u",
            [NOW, NOW, keys],
        )
        conn.execute("ANALYZE retention.object_deletion")
    with open_worker(
        database.worker_dsn, config, MovingClock(NOW), object_drain=True, object_timeout_seconds=60
    ) as worker:
        begin = time.perf_counter()
        report = drain(worker)
        seconds = time.perf_counter() - begin
    assert (report.deleted, report.left) == (objects, {}), report
    return seconds


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
