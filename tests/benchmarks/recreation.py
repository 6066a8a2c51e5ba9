"""What the guards against recreation cost an insertion: `python -m tests.benchmarks.recreation`.

The same insertions with and without the triggers, interleaved on one server: each is a transaction
of its own, as an application enrols a face. The book of erasures is filled beforehand.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import psycopg

from tests.database import Database, prepare_reference, temporary_database
from tests.factories import make_account
from tests.server import start_server

_TABLES = ("face_vectors", "face_templates")
# What a common model gives: 512 float4.
_VECTOR = bytes(2048)
_INSERT = "INSERT INTO face_vectors (transaction_id, model, embedding) VALUES (%s, 'm', %s)"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the median ratio with its spread, for one row a transaction and for many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15, help="interleaved pairs of rounds")
    parser.add_argument("--rows", type=int, default=1000, help="insertions a round")
    parser.add_argument("--erasures", type=int, default=200_000, help="erasure rows beforehand")
    chosen = parser.parse_args(arguments)
    with start_server() as server, temporary_database(server) as database:
        prepare_reference(database)
        with database.connect() as conn:
            transactions = _load(conn, accounts=500, erasures=chosen.erasures)
        for name, bulk in (("one row a transaction", False), ("all in one transaction", True)):
            _print(name, _pairs(database, transactions, chosen.pairs, chosen.rows, bulk=bulk))


def _load(conn: psycopg.Connection, *, accounts: int, erasures: int) -> list[UUID]:
    now = datetime.now(UTC)
    made = [make_account(conn, last_activity=now, transactions=2) for _ in range(accounts)]
    conn.execute(
        "INSERT INTO retention.erasure "
        "(batch_id, tenant_id, kind, subject_id, scope, complete, erased_at) "
        "SELECT n / 500, 'acme', 'account', gen_random_uuid()::text, 'biometrics', TRUE, now() "
        "FROM generate_series(1, %s) AS n",
        (erasures,),
    )
    conn.execute("VACUUM ANALYZE")
    return [transaction for each in made for transaction in each.transactions]


def _pairs(
    database: Database, transactions: list[UUID], pairs: int, rows: int, *, bulk: bool
) -> list[tuple[float, float]]:
    """Microseconds a row, without and with the guards."""
    found = []
    with database.connect() as conn:
        for number in range(pairs + 1):
            order = (False, True) if number % 2 else (True, False)
            took = {on: _round(conn, transactions, rows, guarded=on, bulk=bulk) for on in order}
            if number:  # the first pair warms the caches
                found.append((took[False], took[True]))
    return found


def _round(
    conn: psycopg.Connection, transactions: list[UUID], rows: int, *, guarded: bool, bulk: bool
) -> float:
    for table in _TABLES:
        verb = "ENABLE ALWAYS" if guarded else "DISABLE"
        conn.execute(f"ALTER TABLE {table} {verb} TRIGGER zz_no_recreation_{table}".encode())
    conn.execute("TRUNCATE face_vectors")
    began = time.perf_counter()
    if bulk:
        conn.execute(
            "INSERT INTO face_vectors (transaction_id, model, embedding) "
            "SELECT (%s::uuid[])[1 + n %% %s], 'm', %s FROM generate_series(1, %s) AS n",
            (transactions, len(transactions), _VECTOR, rows),
        )
    else:
        for number in range(rows):
            conn.execute(_INSERT, (transactions[number % len(transactions)], _VECTOR))
    return (time.perf_counter() - began) / rows * 1_000_000


def _print(name: str, pairs: list[tuple[float, float]]) -> None:
    ratios = sorted(guarded / bare for bare, guarded in pairs)
    bare, guarded = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"{name}: {statistics.median(ratios):.2f} times "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f} in {len(ratios)} pairs), "
        f"{bare:.0f} µs a row without, {guarded:.0f} with"
    )


if __name__ == "__main__":
    main()
