"""Tables in partitions, by range and by list, a default one, keys onto them, and objects."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from retention_worker.domain.scope import Scope
from tests.integration.foreign.conftest import NOW
from tests.integration.foreign.site import (
    HERE,
    Row,
    Rows,
    Site,
    changed,
    merged,
    site_of,
    template_of,
    without,
)
from tests.server import Server

SESSIONS, CAPTURES, PRINTS = "public.session", "public.capture", "public.faceprint"
DUE = NOW - timedelta(days=60)
MICROSECOND = timedelta(microseconds=1)
SCHEMA = (HERE / "parcels" / "schema.sql").read_text("utf-8")
DELETED = (HERE / "parcels" / "datamap.yaml").read_text("utf-8")
BLANKED = DELETED.replace(
    "shared: true}\n    erase: rows",
    'shared: true}\n    erase: {set: {blob: null, sheet: "", extracted: {}}}',
)
RANGES = """RANGE (captured_on);
CREATE TABLE public.capture_2024 PARTITION OF public.capture
    FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE public.capture_2025 PARTITION OF public.capture
    FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.capture_rest PARTITION OF public.capture DEFAULT"""
LISTS = """LIST (region);
CREATE TABLE public.capture_eu PARTITION OF public.capture FOR VALUES IN ('de', 'fr')
    PARTITION BY RANGE (captured_on);
CREATE TABLE public.capture_eu_old PARTITION OF public.capture_eu
    FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
CREATE TABLE public.capture_eu_new PARTITION OF public.capture_eu DEFAULT;
CREATE TABLE public.capture_elsewhere PARTITION OF public.capture DEFAULT"""
DAYS = tuple(date.fromisoformat(day) for day in ("2023-12-31", "2024-02-29", "2025-12-31"))


def customer(number: int, seen: datetime, region: str) -> Rows:
    """A customer with a session for each of DAYS, each with a capture in its own partition."""
    mine = UUID(int=number)
    rows: Rows = {
        "public.customer": [{"id": mine, "region": region, "seen": seen}],
        SESSIONS: [],
        CAPTURES: [],
        PRINTS: [],
    }
    for index, day in enumerate(DAYS):
        session, capture = UUID(int=number << 8 | index), number * 100 + index
        rows[SESSIONS].append(
            {"id": session, "started_on": day, "customer_id": mine, "decision": "ok"}
        )
        key: Row = {"captured_on": day, "region": region}
        rows[CAPTURES].append(
            {
                "id": capture,
                **key,
                "session_id": session,
                "session_on": day,
                "blob": f"{index}{{id}}%",
                "sheet": "s3://shared/sheet" if index else None,
                "extracted": '{"name": "Ada"}',
            }
        )
        rows[PRINTS].append({"capture_id": capture, **key, "print": b"\x01"})
    return rows


def erased(
    rows: Rows, numbers: set[int], scope: Scope = Scope.ALL, *, blanks: bool = False
) -> Rows:
    """What should be there after these customers were erased."""
    left = without(rows, PRINTS, lambda row: row["capture_id"] // 100 in numbers)
    if scope is Scope.BIOMETRICS:
        return left

    def theirs(row: Row) -> bool:
        return row["id"] // 100 in numbers

    if blanks:
        empty = {"blob": None, "sheet": "", "extracted": "{}"}
        return changed(left, CAPTURES, lambda row: row | empty, theirs)
    return without(left, CAPTURES, theirs)


@pytest.fixture(scope="module", params=["range", "list", "range, blanked", "list, blanked"])
def variant(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[bool, str, str]]:
    """Whether captures are blanked; a template with the grants of the map; the map."""
    schema = SCHEMA.replace("/*PARTITION*/", RANGES if "range" in request.param else LISTS)
    blanks = "blanked" in request.param
    chosen = BLANKED if blanks else DELETED
    with template_of(server, tmp_path_factory.mktemp("parcels"), schema, chosen) as name:
        yield blanks, name, chosen


@pytest.fixture
def mapped(server: Server, variant: tuple[bool, str, str], tmp_path: Path) -> Iterator[Site]:
    """A copy of the product."""
    _, template, chosen = variant
    with site_of(server, template, tmp_path, chosen, NOW) as found:
        yield found


def test_rows_of_every_partition(mapped: Site, variant: tuple[bool, str, str]) -> None:
    """Declared partitions and the default one; the outbox has each name as it was before.

    Blanked columns are no different: what RETURNING gives after an UPDATE is the blank (before
    PostgreSQL 18 there is nothing else), so the names must have been read before.
    """
    blanks = variant[0]
    mapped.config.write_policy("de", "60 days", "50 days")
    mapped.config.write_policy("jp", "60 days")
    rows = merged(
        [
            customer(1, DUE - MICROSECOND, "de"),
            customer(2, DUE, "de"),
            customer(3, DUE + MICROSECOND, "de"),
            customer(4, DUE, "jp"),
            customer(5, DUE - timedelta(days=999), "us"),
        ]
    )
    mapped.load(rows)
    lanes = mapped.sweep()
    assert lanes["de", Scope.BIOMETRICS].rows == {"faceprints": 9}
    assert lanes["de", Scope.ALL].rows == {"captures": 6}
    assert lanes["de", Scope.ALL].objects_queued == 6 + 1  # they share one
    assert lanes["jp", Scope.ALL].rows == {"captures": 3, "faceprints": 3}
    wanted = erased(rows, {1, 2, 4}, blanks=blanks)
    mapped.expect(erased(wanted, {3}, Scope.BIOMETRICS))
    outbox = [
        (region, str(UUID(int=number)), name)
        for number, region in ((1, "de"), (2, "de"), (4, "jp"))
        for index in range(3)
        for name in (
            f"s3://parcels/{region}/{UUID(int=number)}/{index}{{id}}%",
            *(["s3://shared/sheet"] if index else []),
        )
    ]
    assert mapped.uris() == sorted(outbox)
    shared = mapped.query("SELECT DISTINCT uri FROM retention.object_deletion WHERE shared")
    assert shared == [("s3://shared/sheet",)]
    mapped.sweep_again()

    mapped.clock.forward(microseconds=1)
    assert mapped.sweep()["de", Scope.ALL].accounts == 1
    mapped.expect(erased(rows, {1, 2, 3, 4}, blanks=blanks))
    assert len(mapped.uris()) == 20


def test_a_large_account_by_a_composite_key(mapped: Site, variant: tuple[bool, str, str]) -> None:
    """A session at a time, whose key has two columns: everything, and each object counts once."""
    mapped.config.write_policy("fr", "60 days")
    rows = merged([customer(1, DUE, "fr"), customer(2, NOW, "fr")])
    mapped.load(rows)
    lane = mapped.sweep(batch_max_transactions=1)["fr", Scope.ALL]
    assert (lane.accounts, lane.objects_queued) == (1, 3 + 1)
    mapped.expect(erased(rows, {1}, blanks=variant[0]))
    assert [complete for *_, complete in mapped.erasures()] == [False, False, False, True]
    assert len(mapped.uris()) == 5
    mapped.sweep_again(batch_max_transactions=1)
