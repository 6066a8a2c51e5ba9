"""What the supervisor promises: however its client ends, nothing stays behind."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from retention_worker.embedded import EmbeddedServer, EmbeddedServerError
from tests.integration.embedded.processes import (
    alive,
    family,
    parent,
    soon,
    start_client,
    told,
)


def finish(client: subprocess.Popen[str]) -> None:
    """Close the pipes of a client that has ended."""
    client.communicate(timeout=30)


def test_kill_of_the_client(temp_root: Path) -> None:
    """After kill -9 of the client no process and no folder is left, a busy session included."""
    client = start_client("wait")
    pid = told(client)["pid"]
    socket = next(temp_root.glob("*/socket"))
    conn = psycopg.connect(f"host={socket} port=5432 user=postgres dbname=postgres")
    conn.execute("SELECT 1")
    processes = family(pid) | {parent(pid)}
    client.kill()
    finish(client)
    assert soon(lambda: not alive(processes)), alive(processes)
    assert soon(lambda: not list(temp_root.iterdir())), list(temp_root.rglob("*"))
    conn.close()


@pytest.mark.parametrize("delay", [0.05, 0.1, 0.15, 0.2, 0.3, 0.4])
def test_kill_of_the_client_during_the_start(temp_root: Path, delay: float) -> None:
    """There is no moment of the start at which kill -9 would leave something."""
    client = start_client("wait")
    time.sleep(delay)
    processes = family(client.pid) - {client.pid}
    processes |= {pid for child in processes for pid in family(child)}
    client.kill()
    finish(client)
    assert soon(lambda: not alive(processes)), alive(processes)
    assert soon(lambda: not list(temp_root.iterdir())), list(temp_root.rglob("*"))


def test_interrupt_from_a_terminal(temp_root: Path) -> None:
    """Ctrl-C reaches the client's whole group, and still everything is removed before it ends."""
    client = start_client("wait")
    pid = told(client)["pid"]
    processes = family(pid) | {parent(pid)}
    os.killpg(client.pid, signal.SIGINT)
    errors = client.communicate(timeout=30)[1]
    assert "KeyboardInterrupt" in errors
    assert alive(processes) == set()
    assert list(temp_root.iterdir()) == []


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGQUIT])
def test_client_that_ends_by_a_signal(temp_root: Path, stop_signal: signal.Signals) -> None:
    """A client that a signal ends without a word is cleaned up after."""
    client = start_client("wait")
    pid = told(client)["pid"]
    processes = family(pid) | {parent(pid)}
    client.send_signal(stop_signal)
    finish(client)
    assert soon(lambda: not alive(processes)), alive(processes)
    assert soon(lambda: not list(temp_root.iterdir()))


def test_orphans_of_a_killed_server(temp_root: Path) -> None:
    """Sessions whose server was killed from outside, in the middle of a query, go as well."""
    with EmbeddedServer() as server:
        busy = psycopg.connect(server.dsn("postgres"))
        busy.execute("SELECT 1")
        processes = family(server.pid)
        for pid in processes - {server.pid}:
            os.kill(pid, signal.SIGSTOP)  # cannot notice that its parent has died
        os.kill(server.pid, signal.SIGKILL)
        assert soon(lambda: not alive({server.pid}))
        server.start()
        assert alive(processes) == set()
        busy.close()
    assert list(temp_root.iterdir()) == []


def test_terminated_supervisor_cleans_up(temp_root: Path) -> None:
    """SIGTERM to the supervisor removes everything; the client is told in one line."""
    server = EmbeddedServer()
    server.start()
    pid = server.pid
    processes = family(pid) | {parent(pid)}
    os.kill(parent(pid), signal.SIGINT)  # is not for it
    os.kill(parent(pid), signal.SIGTERM)
    assert soon(lambda: not alive(processes))
    assert list(temp_root.iterdir()) == []
    with pytest.raises(EmbeddedServerError, match="supervisor"):
        server.close()
    server.close()
