"""How many buffers the server reads to find, guard and lock one due account among many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.sql import SQL, Composed

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.domain.lane.lane import Position
from retention_worker.store.connection.keys import key_parameters
from retention_worker.store.mapsql import CompiledMap, compile_map
from tests.benchmarks.bench import Bench
from tests.benchmarks.population import NOW
from tests.config_folder import SAMPLES
from tests.database import prepare_reference, temporary_database

__all__ = ["buffers_of_one"]

# A tenth was erased long ago, nine tenths are live, and one is due.
_CROWD = """
    INSERT INTO accounts (id, tenant_id, external_ref, last_activity_at)
    SELECT md5(n::text)::uuid, 't0', n, CASE WHEN n %% 10 = 0 THEN %(old)s ELSE %(live)s END
           + n * interval '1 second'
      FROM generate_series(1, %(accounts)s) AS n ORDER BY md5(n::text)"""
_CUTOFF = NOW - timedelta(days=360)
_OLD, _LIVE = NOW - timedelta(days=900), NOW - timedelta(days=300)


def buffers_of_one(bench: Bench, accounts: int) -> int:
    """Buffers in all of the statements that find it, count it for the guard, and lock it."""
    with temporary_database(bench.server) as database:
        prepare_reference(database)
        with database.connect() as conn:
            conn.execute("INSERT INTO tenants (id, name) VALUES ('t0', 'T')")
            values = {"old": _OLD, "live": _LIVE, "accounts": accounts}
            conn.execute(_CROWD, values)
            after = conn.execute(
                "SELECT last_activity_at::text, id::text FROM accounts "
                "WHERE last_activity_at <= %s ORDER BY 1 DESC, 2 DESC LIMIT 1",
                (_CUTOFF,),
            ).fetchone()
            due = conn.execute(
                "INSERT INTO accounts (tenant_id, external_ref, last_activity_at) "
                "VALUES ('t0', 'due', %s) RETURNING id::text",
                (_CUTOFF - timedelta(hours=1),),
            ).fetchone()
            assert after is not None
            assert due is not None
            conn.execute("VACUUM ANALYZE accounts")
            compiled = compile_map(conn, load_datamap(SAMPLES).datamap, "retention")
            watermark = Position(activity=after[0], key=(after[1],))
            with conn.transaction():
                return sum(
                    _buffers(conn, statement, parameters)
                    for statement, parameters in _statements(compiled, watermark, due[0])
                )


def _statements(
    compiled: CompiledMap, after: Position, due: str
) -> Iterator[tuple[Composed, Mapping[str, Any]]]:
    sql = compiled.accounts
    mine = {"tenant": "t0", "cutoff": sql.activity.bound(_CUTOFF)}
    ahead = {"after_activity": after.activity, "after_id": list(after.key), "limit": 50}
    yield sql.page, mine | ahead
    yield sql.count_due, mine | ahead
    yield sql.lock, mine | key_parameters([(due,)], 1)


def _buffers(conn: psycopg.Connection, statement: Composed, parameters: Mapping[str, Any]) -> int:
    conn.execute("SET LOCAL enable_seqscan = off")
    row = conn.execute(
        SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ") + statement, parameters
    ).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
