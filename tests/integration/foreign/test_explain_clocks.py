"""`explain` agrees with the sweep in every type that a product may keep its activity in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retention_worker.service.explain.explain import explain
from tests.integration.foreign.site import Site
from tests.integration.foreign.test_clocks import BERLIN, EDGES, NOW, clock_site, users
from tests.server import Server

MICROSECOND = timedelta(microseconds=1)


def due_at(site: Site, name: str) -> datetime | None:
    """The due date that `explain` gives."""
    with site.worker() as worker:
        return explain(worker, name, tenant=None).lanes[-1].due_at


def is_due(site: Site, name: str) -> bool:
    """Whether `explain` says that a sweep would take it."""
    with site.worker() as worker:
        return explain(worker, name, tenant=None).lanes[-1].due


@pytest.mark.parametrize(("kind", "column", "seen", "due"), EDGES)
def test_edges_of_each_type(
    server: Server,
    tmp_path: Path,
    *,
    kind: str,
    column: str,
    seen: list[object],
    due: set[int],
) -> None:
    """Due are exactly the accounts that the sweep takes, at the edges of each type."""
    with clock_site(server, tmp_path, kind, column, NOW) as site:
        site.load(users(*seen))
        assert {n for n, _ in enumerate(seen) if is_due(site, f"u{n}")} == due


@pytest.mark.parametrize(
    ("kind", "column", "seen"),
    [
        ("timestamp", BERLIN, "2026-10-25 02:30"),
        ("timestamp", BERLIN, "2026-10-25 02:00"),
        ("timestamp", BERLIN, "2026-10-25 03:00"),
        ("timestamp", BERLIN, "2026-03-29 02:30"),
        ("timestamp", BERLIN, "2026-03-29 03:00"),
        ("timestamp", "seen", "2026-02-28 23:59:59.999999"),
        ("date", BERLIN, "2026-10-25"),
        ("date", "seen", "2026-02-28"),
        ("bigint", "{column: seen, unit: ms}", 1_770_000_000_123),
        ("numeric", "{column: seen, unit: s}", "1770000000.1234567"),
        ("double precision", "{column: seen, unit: s}", 1770000000.1234567),
    ],
)
def test_the_due_date_is_the_sweeps(
    server: Server, tmp_path: Path, kind: str, column: str, seen: object
) -> None:
    """One microsecond before it a sweep erases nothing, at it the account's credentials."""
    with clock_site(server, tmp_path, kind, column, NOW) as site:
        site.load(users(seen))
        due = due_at(site, "u0")
        assert due is not None
        assert due > datetime(2026, 3, 1, tzinfo=UTC)
        for now, left in ((due - MICROSECOND, 1), (due, 0)):
            site.clock.now = now
            assert is_due(site, "u0") is (left == 0)
            site.sweep()
            assert site.query("SELECT count(*) FROM passkey") == [(left,)]
