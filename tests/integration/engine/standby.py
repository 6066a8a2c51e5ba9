"""A streaming standby of an embedded server, made as an operator makes one: pg_basebackup."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from retention_worker.embedded import EmbeddedServer
from retention_worker.embedded.machine import choose_account

NAME = "one"


class Standby:
    """The running standby; its folder belongs to the account that runs the primary."""

    def __init__(self, folder: Path, bindir: Path, account: dict[str, Any]) -> None:
        self._folder, self._bindir, self._account = folder, bindir, account
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            [self._bindir / "postgres", "-D", self._folder / "data", "-k", self._folder],
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._account,
        )
        for _ in range(100):
            try:
                with self.connect():
                    return
            except psycopg.OperationalError:
                time.sleep(0.1)
        raise AssertionError("the standby does not start")

    def stop(self) -> None:
        """Stop it, so that the primary has none."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(20)
            self._process = None

    def connect(self) -> psycopg.Connection:
        """A superuser's connection to it."""
        return psycopg.connect(
            f"host={self._folder} port=5432 user=postgres dbname=postgres", autocommit=True
        )


@contextmanager
def standby_of(primary: EmbeddedServer) -> Iterator[Standby]:
    """A standby that streams from the primary; skips where there is no pg_basebackup."""
    program = primary.bindir / "pg_basebackup"
    if not program.exists():
        pytest.skip("the server's binaries have no pg_basebackup")
    found = choose_account()
    account: dict[str, Any] = (
        {"user": found.uid, "group": found.gid, "extra_groups": []} if found else {}
    )
    folder = Path(tempfile.mkdtemp(prefix="rw-s-", dir="/tmp"))
    if found:
        shutil.chown(folder, found.uid, found.gid)
    standby = Standby(folder, primary.bindir, account)
    source = f"host={primary.socket_dir} port=5432 user=postgres application_name={NAME}"
    try:
        subprocess.run(
            [program, "-d", source, "-D", folder / "data", "-R", "-c", "fast"],
            cwd="/",
            check=True,
            capture_output=True,
            **account,
        )
        with (folder / "data" / "postgresql.auto.conf").open("a") as file:
            file.write("wal_receiver_status_interval = 100ms\nhot_standby = on\n")
        standby.start()
        yield standby
    finally:
        standby.stop()
        shutil.rmtree(folder)
