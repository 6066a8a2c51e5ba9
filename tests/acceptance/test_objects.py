"""Objects as a person and a script meet them: sweep, run, list, retry, and kills at any moment."""

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest

from tests.acceptance.program import Program
from tests.acceptance.rows import idle
from tests.s3 import ENVIRONMENT, S3, error, errors, s3_server

BUCKET = "sample-images"


@pytest.fixture(scope="module")
def _server() -> Iterator[S3]:
    with s3_server() as (endpoint, proxy):
        yield S3(endpoint, proxy)


@pytest.fixture
def s3(_server: S3, program: Program) -> Iterator[S3]:
    """An S3 that the program finds in its environment."""
    with urlopen(f"{_server.client.meta.endpoint_url}/moto-api/reset", data=b""):
        pass
    program.environment |= ENVIRONMENT | {
        "AWS_ENDPOINT_URL_S3": _server.endpoint,
        "RETENTION_OBJECT_DRAIN": "true",
        "RETENTION_OBJECT_TIMEOUT_SECONDS": "1",
    }
    _server.fail(None)
    _server.bucket(BUCKET)
    yield _server
    _server.fail(None)


def put_all(conn: psycopg.Connection, s3: S3) -> int:
    """Put every object that an image names; how many."""
    rows = conn.execute("SELECT object_uri FROM images WHERE kind <> 'AUDIT'").fetchall()
    for (uri,) in rows:
        s3.put(uri)
    return len(rows)


def test_a_sweep_deletes_objects(program: Program, conn: psycopg.Connection, s3: S3) -> None:
    """Rows first, then their objects; JSON says what went and what is left."""
    idle(conn, 400)
    number = put_all(conn, s3)
    done = program.run("sweep", "--json")
    assert done.code == 0, done
    assert done.json["objects"] == {
        "drained": True,
        "deleted": number,
        "left": {"queued": 0, "denied": 0, "failed": 0, "kept": 0},
        "stores_down": [],
    }
    assert s3.keys(BUCKET) == set()
    assert program.json("verify", "--objects", "100")


def test_what_is_denied_is_listed_and_retried(
    program: Program, conn: psycopg.Connection, s3: S3
) -> None:
    """Sweep ends with 1, `objects list` says why, explain and the receipt how many; retry heals."""
    account = idle(conn, 400)
    number = put_all(conn, s3)

    def deny(_: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        keys = re.findall("<Key>([^<]*)</Key>", body.decode())
        return (200, errors(keys[:1], "AccessDenied")) if "delete" in path else None

    s3.fail(deny)
    done = program.run("sweep")
    assert done.code == 1
    assert "Objects not deleted: 1 denied by their store: see `objects list`." in done.out
    listed = program.run("objects", "list", "--json")
    assert listed.code == 1
    listed = listed.json
    [letter] = listed["objects"]
    assert (letter["state"], letter["error"], letter["attempts"]) == ("denied", "AccessDenied", 1)
    assert letter["uri"].startswith(f"s3://{BUCKET}/")
    shown = program.run("objects", "list", "--tenant", "acme")
    assert "1 object not deleted (1 denied)." in shown.out
    said = f"{number - 1} of {number} objects gone, 1 denied since"
    explained = program.run("explain", str(account.account), "--tenant", "acme")
    assert (explained.code, said in " ".join(explained.out.split())) == (1, True)
    assert f"{number} objects queued)" in done.out
    assert f"{number - 1} objects deleted." in done.out
    assert "queued, not deleted" not in done.out
    receipt = program.run("ledger", "receipt", str(account.account), "--tenant", "acme")
    assert sum(each["objects_not_deleted"] for each in json.loads(receipt.out)["erasures"]) == 1
    s3.fail(None)
    assert program.json("objects", "retry", str(letter["id"])) == {"retried": 1}
    assert program.run("sweep").code == 0
    assert program.json("objects", "list")["objects"] == []
    assert letter["uri"].removeprefix(f"s3://{BUCKET}/") not in s3.keys(BUCKET)


def test_wrong_use(program: Program, s3: S3) -> None:
    """One line, exit 2, and nothing changed."""
    for words, said in (
        (("objects", "retry"), "name what to retry"),
        (("objects", "retry", "77"), "no such object"),
        (("objects", "list", "--state", "lost"), "lost"),
    ):
        done = program.call(*words)
        assert done.code == 2, done
        assert said in done.err


def test_a_bucket_that_is_down(program: Program, conn: psycopg.Connection, s3: S3) -> None:
    """The sweep erases rows and ends with 1; log and JSON name the store."""
    idle(conn, 400)
    s3.fail(lambda *_: (503, error("SlowDown")))
    done = program.run("sweep", "--json")
    assert done.code == 1
    assert done.lane("all")["accounts"] == 1
    assert done.json["objects"]["stores_down"] == [{"store": f"s3://{BUCKET}", "error": "SlowDown"}]
    assert [event["store"] for event in done.log if event["event"] == "object_store_down"] == [
        f"s3://{BUCKET}"
    ]


def test_killed_at_any_moment(program: Program, conn: psycopg.Connection, s3: S3) -> None:
    """Sweeps killed by SIGKILL: at the end every object is gone and none was counted twice."""
    for days in range(400, 500):  # far more than the killed ones get through, however quick
        idle(conn, days)
    number = put_all(conn, s3)

    def slow(*_: object) -> None:
        time.sleep(0.05)

    s3.fail(slow)
    program.environment |= {"RETENTION_BATCH_MAX_ACCOUNTS": "2"}
    for pause in (0.0, 0.05, 0.1, 0.2):
        with program.start("sweep") as running:
            running.await_events("batch_committed", 3)
            time.sleep(pause)
            running.end(signal.SIGKILL)
    s3.fail(None)
    done = program.run("sweep", "--json")
    assert done.code == 0, done
    assert done.json["objects"]["left"]["queued"] == 0
    assert s3.keys(BUCKET) == set()
    row = conn.execute(
        "SELECT (SELECT sum(objects) FROM retention.batch WHERE source <> 'objects'),"
        " (SELECT sum(objects) FROM retention.batch WHERE source = 'objects')"
    ).fetchone()
    assert row == (number, number)
    assert program.run("verify").code == 0
    assert program.run("ledger", "verify").code == 0


def test_killed_in_the_middle_of_a_drain(
    program: Program, conn: psycopg.Connection, s3: S3
) -> None:
    """The next drain goes on: each object is gone and counted once, a living row's stays."""
    idle(conn, 1)
    number = put_all(conn, s3)
    kept = s3.keys(BUCKET)
    s3.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for days in range(400, 420):
        idle(conn, days)
    number = put_all(conn, s3) - number
    s3.requests.clear()

    def slow(*_: object) -> None:
        time.sleep(0.02)

    s3.fail(slow)
    with program.start("sweep") as running:
        end = time.monotonic() + 30
        while sum(1 for method, _ in s3.requests if method == "POST") < number // 3:
            assert time.monotonic() < end
            time.sleep(0.01)
        running.end(signal.SIGKILL)
    assert kept < s3.keys(BUCKET)
    s3.fail(None)
    done = program.run("sweep", "--json")
    assert (done.code, done.json["objects"]["left"]["queued"]) == (0, 0), done
    assert s3.keys(BUCKET) == kept
    row = conn.execute(
        "SELECT (SELECT sum(objects) FROM retention.batch WHERE source <> 'objects'),"
        " (SELECT sum(objects) FROM retention.batch WHERE source = 'objects')"
    ).fetchone()
    assert row == (number, number)
    assert program.run("verify", "--objects", "100").code == 0


def test_run_drains_beside_the_sweeps(
    program: Program, conn: psycopg.Connection, s3: S3, tmp_path: Path
) -> None:
    """The long-running process deletes objects by itself, and /health says so."""
    idle(conn, 400)
    put_all(conn, s3)
    program.environment |= {"RETENTION_OBJECT_SCHEDULE": "* * * * *"}
    with program.start("run") as running:
        [started] = running.await_events("worker_started")
        running.await_events("objects_drained")
        with urlopen(f"http://127.0.0.1:{started['health_port']}/health") as answer:
            assert json.load(answer)["objects"]["deleted"] > 0
        with urlopen(f"http://127.0.0.1:{started['health_port']}/metrics") as answer:
            shown = answer.read().decode()
        assert running.end().code == 0
    assert s3.keys(BUCKET) == set()
    assert 'retention_objects{state="queued"} 0.0' in shown
    assert f'retention_object_store_down{{store="s3://{BUCKET}"}} 0.0' in shown
    assert 'retention_lanes{stop_reason="exhausted"} 2.0' in shown
