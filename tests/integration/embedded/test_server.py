"""The embedded server in use: start, stop, crash, databases, settings."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import freezegun
import psycopg
import pytest

from retention_worker.embedded import EmbeddedServer, EmbeddedServerError
from tests.integration.embedded.processes import alive, family, parent, python_path, soon

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


def query(server: EmbeddedServer, statement: str, database: str = "postgres") -> str:
    """Return the first value of a statement, as text."""
    with psycopg.connect(server.dsn(database), autocommit=True) as conn:
        row = conn.execute(statement.encode()).fetchone()
    assert row is not None
    return str(row[0])


def test_starts_and_leaves_nothing(temp_root: Path) -> None:
    """A server that was used is gone after the with-block: no process, no folder."""
    with EmbeddedServer() as server:
        assert query(server, "SELECT current_user") == "postgres"
        assert query(server, "SHOW server_version").startswith(f"{server.version[0]}.")
        assert server.log_path.is_file()
        assert server.socket_dir.stat().st_mode & 0o077 == 0
        processes = family(server.pid) | {parent(server.pid)}
        assert len(processes) > 4
    assert alive(processes) == set()
    assert list(temp_root.iterdir()) == []


def test_close_with_a_query_running(temp_root: Path) -> None:
    """A client in the middle of a query does not keep the server, and gets an error."""
    errors: list[psycopg.Error] = []

    def sleep(dsn: str) -> None:
        try:
            with psycopg.connect(dsn) as conn:
                conn.execute("SELECT pg_sleep(60)")
        except psycopg.Error as exc:
            errors.append(exc)

    with EmbeddedServer() as server:
        thread = threading.Thread(target=sleep, args=(server.dsn("postgres"),))
        thread.start()
        wait_for_sleeper(server)
    thread.join(10)
    assert len(errors) == 1
    assert list(temp_root.iterdir()) == []


def wait_for_sleeper(server: EmbeddedServer) -> None:
    """Return once a session runs pg_sleep; bounded."""
    for _ in range(500):
        count = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
        if query(server, count) == "1":
            return
        time.sleep(0.01)
    pytest.fail("no session runs pg_sleep")


def test_kill_and_start_recovers(temp_root: Path) -> None:
    """After a crash of every process what was committed is there, and what was not is gone."""
    with EmbeddedServer() as server:
        conn = psycopg.connect(server.dsn("postgres"))
        conn.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
        conn.commit()
        conn.execute("INSERT INTO t VALUES (1001)")
        processes, first = family(server.pid), server.pid
        server.kill()
        assert alive(processes) == set()
        conn.close()
        with pytest.raises(EmbeddedServerError, match="not running"):
            _ = server.pid
        server.start()
        assert server.pid != first
        assert query(server, "SELECT count(*) FROM t") == "1000"
        assert "automatic recovery" in server.log_path.read_text()
    assert list(temp_root.iterdir()) == []


def test_killed_server_leaves_no_shared_memory(temp_root: Path) -> None:
    """The System V segment that a killed server cannot remove is removed for it."""
    with EmbeddedServer() as server:
        lock_file = (server.data_dir / "postmaster.pid").read_text().splitlines()
        segment = lock_file[6].split()[1]
        assert segment in segments()
        server.kill()
    assert segment not in segments()


def segments() -> list[str]:
    """Return the ids of the machine's System V shared memory segments."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return [line.split()[1] for line in lines]


def test_stop_and_start_keep_data(temp_root: Path) -> None:
    """An orderly stop keeps the data; to start a server that runs changes nothing."""
    with EmbeddedServer() as server:
        server.create_database("kept")
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.dsn("kept"))
        server.start()
        running = server.pid
        server.start()
        assert server.pid == running
        assert query(server, "SELECT current_database()", "kept") == "kept"


def test_databases(temp_root: Path) -> None:
    """Databases with any name are created, copied and dropped, the last while in use."""
    with EmbeddedServer() as server:
        name = 'Odd "name" / ü'
        server.create_database(name)
        with psycopg.connect(server.dsn(name), autocommit=True) as conn:
            conn.execute("CREATE TABLE t AS SELECT 42 AS n")
        server.create_database("copy", template=name)
        assert query(server, "SELECT n FROM t", "copy") == "42"
        with psycopg.connect(server.dsn("copy")):
            server.drop_database("copy")
        with pytest.raises(EmbeddedServerError, match='database "copy" does not exist'):
            server.drop_database("copy")


def test_settings_override_defaults(temp_root: Path) -> None:
    """Settings reach the server, quotes and all, and win over the defaults; SQL may change them."""
    settings = {"deadlock_timeout": "7s", "fsync": "on", "cluster_name": "it's \\ odd"}
    with EmbeddedServer(settings=settings | {"max_connections": 7}) as server:
        shown = [query(server, f"SHOW {name}") for name in (*settings, "max_connections")]
        assert shown == ["7s", "on", "it's \\ odd", "7"]
        assert query(server, "SHOW listen_addresses") == ""
        with psycopg.connect(server.dsn("postgres"), autocommit=True) as conn:
            conn.execute("ALTER SYSTEM SET deadlock_timeout = '8s'")
        server.stop()
        server.start()
        assert query(server, "SHOW deadlock_timeout") == "8s"


def test_wrong_setting_is_told(temp_root: Path) -> None:
    """A server that does not start is told in one line with the log's end, and leaves nothing."""
    server = EmbeddedServer(settings={"no_such_setting": "1"})
    with pytest.raises(EmbeddedServerError, match=r"did not start \(1\).*no_such_setting") as error:
        server.start()
    assert "\n" not in str(error.value)
    assert list(temp_root.iterdir()) == []


def test_starts_in_frozen_time(temp_root: Path) -> None:
    """Frozen clocks of this process stop neither the start nor the end of a server."""
    with freezegun.freeze_time("2026-01-31"), EmbeddedServer() as server:
        server.kill()
        server.start()
    assert list(temp_root.iterdir()) == []


def test_two_at_once(temp_root: Path) -> None:
    """Servers do not know each other."""
    with EmbeddedServer() as one, EmbeddedServer() as two:
        one.create_database("only_here")
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(two.dsn("only_here"))
    assert list(temp_root.iterdir()) == []


def test_environment_does_not_interfere(temp_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables for other servers neither lead a connection astray nor reach this one."""
    for name, value in {"PGPORT": "1", "PGUSER": "x", "PGDATA": "/x", "PGHOST": "/x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LC_ALL", "no_such_locale")
    with EmbeddedServer() as server:
        assert query(server, "SELECT current_user") == "postgres"


@pytest.mark.skipif(not DEBIAN_15.is_dir(), reason="Debian's PostgreSQL 15 is not installed")
def test_binaries_of_the_system(temp_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PG_BINDIR leads to Debian's PostgreSQL 15, in place."""
    monkeypatch.setenv("PG_BINDIR", str(DEBIAN_15))
    with EmbeddedServer() as server:
        assert server.version[0] == 15
        assert server.bindir == DEBIAN_15
        assert query(server, "SHOW server_version_num").startswith("15")
        server.kill()
        server.start()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the child only sleeps
def test_other_children_do_not_hold_the_supervisor(temp_root: Path) -> None:
    """A process that this one forked and that outlives the with-block does not delay its end."""
    with EmbeddedServer():
        child = os.fork()
        if child == 0:  # pragma: no cover
            time.sleep(60)
            os._exit(0)
        started = time.monotonic()
    try:
        assert time.monotonic() - started < 30
        assert list(temp_root.iterdir()) == []
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_output_of_programs_does_not_hold_pipes(temp_root: Path) -> None:
    """Who reads a client's output sees its end when the client ends: nothing else holds it."""
    code = (
        "import os; from retention_worker.embedded import EmbeddedServer\n"
        "s = EmbeddedServer(); s.start(); print('up', flush=True); os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": python_path()},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("up\n", "")
    assert soon(lambda: not list(temp_root.iterdir()))
