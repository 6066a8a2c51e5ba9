"""Every statement of a sweep reaches mapped tables by an index, however large they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer
from psycopg.sql import SQL, Composed

from retention_worker.store.connection.queries import named
from retention_worker.store.connection.session import Session
from tests.factories import make_account
from tests.integration.engine.crowd import fill
from tests.stage import Stage

MAPPED = {
    "accounts",
    "transactions",
    "face_vectors",
    "face_templates",
    "authentication_vectors",
    "images",
    "extracted_data",
    "erasure",
    "deferred",
    "hold",
}
CROWD = 12_000
# Each row may cost a block of the index and one of the table, and the way down the index a few.
BLOCKS_A_ROW, BLOCKS_A_SCAN = 4, 30


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def explain(conn: psycopg.Connection, query: Composed, values: Any) -> list[dict[str, Any]]:
    """Run a statement in a savepoint that is taken back, and give its plan's nodes."""
    found: list[dict[str, Any]] = []
    with conn.transaction(force_rollback=True):
        row = conn.execute(
            SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ") + query, values
        ).fetchone()
        assert row is not None
        plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
        found += nodes(plan[0]["Plan"])
    return found


def generic(conn: psycopg.Connection, query: Composed, values: Any) -> list[dict[str, Any]]:
    """The nodes of the plan that is made once for all values, as a batch keeps it."""
    prepared = PostgresQuery(Transformer.from_context(conn))
    prepared.convert(query, values)
    kinds = [
        "unknown" if oid == 0 else _one(conn, "SELECT %s::regtype::text", oid)
        for oid in prepared.types
    ]
    given = f"({', '.join(kinds)})" if kinds else ""
    nothing = f"({', '.join('NULL' for _ in kinds)})" if kinds else ""
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        conn.execute(f"PREPARE looked_at {given} AS ".encode() + prepared.query, prepare=False)
        try:
            plan = _one(conn, f"EXPLAIN (FORMAT JSON) EXECUTE looked_at {nothing}")
        finally:
            conn.execute("DEALLOCATE looked_at")
    return list(nodes(plan[0]["Plan"]))


def _one(conn: psycopg.Connection, query: str, *values: Any) -> Any:
    row = conn.execute(query.encode(), values or None).fetchone()
    assert row is not None
    return row[0]


def per_loop(node: dict[str, Any]) -> tuple[float, float]:
    """Rows that a scan gave and blocks that it touched, each time it was run."""
    blocks = float(node["Shared Hit Blocks"] + node["Shared Read Blocks"])
    return float(node["Actual Rows"]), blocks / max(node["Actual Loops"], 1)


def test_no_statement_reads_through_a_table(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweep with something to do in every way, and explain each statement just before it runs.

    Twice: with its values, and as the plan for any values that a connection keeps.
    """
    fill(stage.conn, stage.config, CROWD)
    for number in range(6):
        at = stage.clock.now - timedelta(days=100 + number)
        make_account(stage.conn, last_activity=at, transactions=4 if number == 2 else 1)
        at -= timedelta(days=280)
        make_account(stage.conn, last_activity=at, transactions=4 if number == 2 else 1)
    late = make_account(stage.conn, last_activity=stage.clock.now - timedelta(days=4_000))
    stage.set(batch_max_transactions=3, guard_percent=5, guard_min_accounts=100)
    stage.worker.monotonic = lambda: 0.0  # explaining takes time that no deadline should count
    bad: list[str] = []
    kept: list[str] = []
    seen: set[str] = set()
    original = Session._execute

    def spy(self: Session, statement: Any, parameters: Any, **options: Any) -> Any:
        query = named(statement, self.schema_name) if isinstance(statement, str) else statement
        text = query.as_string(None)
        # Numbers drawn in a statement that is taken back would be missing.
        if "nextval" not in text and text.lstrip("-").strip():
            seen.add(text)
            if not options.get("replan"):
                for node in generic(self.conn, query, parameters or {}):
                    table, kind = node.get("Relation Name"), node["Node Type"]
                    # Of holds the index has the active ones alone.
                    whole = kind.startswith("Index") and "Index Cond" not in node
                    through = whole and table != "hold"
                    if table in MAPPED and (kind == "Seq Scan" or through):
                        kept.append(f"{kind} on {table}: {text}")
            for node in explain(self.conn, query, parameters or {}):
                table, kind = node.get("Relation Name"), node["Node Type"]
                if table in MAPPED and kind.endswith("Scan"):
                    rows, blocks = per_loop(node)
                    if kind == "Seq Scan" or blocks > BLOCKS_A_ROW * rows + BLOCKS_A_SCAN:
                        bad.append(f"{kind} on {table}, {rows} rows, {blocks} blocks: {text}")
        return original(self, statement, parameters, **options)

    monkeypatch.setattr(Session, "_execute", spy)
    stage.sweep()
    stage.clock.forward(minutes=30)
    stage.plan()
    stage.sweep()

    assert bad == []
    assert kept == []
    for part in ("DELETE FROM", "FOR UPDATE OF a SKIP LOCKED", "part_after", "LIMIT"):
        assert any(part in text for text in seen), part
    assert stage.biometrics(late) == 0
