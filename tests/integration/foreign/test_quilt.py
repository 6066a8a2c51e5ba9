"""Columns of many types blanked on the accounts and the transactions themselves, and triggers."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.sweep.sweep import sweep
from tests.integration.foreign.conftest import NOW
from tests.integration.foreign.site import (
    HERE,
    Row,
    Rows,
    Site,
    changed,
    merged,
    site_of,
)
from tests.server import Server
from tests.snapshot import diff

PRODUCT = "quilt"
CLIENTS, VISITS = "public.clients", "public.visits"
DUE = NOW - timedelta(days=60)
MICROSECOND = timedelta(microseconds=1)
DATAMAP = (HERE / PRODUCT / "datamap.yaml").read_text("utf-8")


def client(number: int, seen: datetime, *, brand: str = "acme", visits: int = 2) -> Rows:
    """A client with visits; every column of both has something to erase."""
    name = f"C{number}"
    found: Row = {
        "id": name,
        "brand": brand,
        "email": f"Person{number}@Example.org",
        "nickname": "ERASED",  # the same to citext, and another text
        "full_name": "Ada Example",
        "phone": "+49 30",
        "avatar": b"\x89PNG\x00",
        "tags": ["vip", 'a "b", {c}'],
        "answers": None,
        "income": "12.50",
        "home": "(1,2)",
        "area": "<(5,5),1>",  # of the same size as the blank, elsewhere
        "consent": True,
        "preferred": "iris",
        "version": 1,
        "updated_at": seen,
        "seen_at": seen,
    }
    made = [
        {
            "id": UUID(int=number << 16 | each),
            "client_id": name,
            "started_at": seen,
            "verdict": "accepted",
            "method": "face",
            "iris": b"\x01\x02",
            "vector": [0.5],
            "matrix": [2.5, 3.5],
            "payloads": '{"{\\"a\\": 1}"}',
            "document": f"P{number}-{each}",
            "scan": f"s3://scans/{number}/{each}.tif",
        }
        for each in range(visits)
    ]
    return {CLIENTS: [found], VISITS: made}


def biometrics_erased(row: Row) -> Row:
    """A visit without its biometrics."""
    return row | {"iris": b"\x00", "vector": None, "matrix": [0.0, 1.5], "method": "none"}


def visit_erased(row: Row) -> Row:
    """A visit without any credential."""
    gone = {"payloads": "{}", "document": f"gone {row['id']}", "scan": ""}
    return biometrics_erased(row) | gone


def client_erased(row: Row) -> Row:
    """A client without any credential; the generated column follows the one it is made of."""
    return row | {
        "email": f"{row['id']}@erased.invalid",
        "nickname": "Erased",
        "full_name": None,
        "phone": "",
        "avatar": b"",
        "tags": [],
        "answers": "{t,NULL,f}",
        "income": "0",
        "home": "(0,0)",
        "area": "<(0,0),1>",
        "consent": False,
        "preferred": "none",
    }


def erased(rows: Rows, names: set[str], scope: Scope = Scope.ALL) -> Rows:
    """What should be there after the clients of these names were erased."""
    if scope is Scope.BIOMETRICS:
        return changed(rows, VISITS, biometrics_erased, lambda row: row["client_id"] in names)
    left = changed(rows, VISITS, visit_erased, lambda row: row["client_id"] in names)
    return changed(left, CLIENTS, client_erased, lambda row: row["id"] in names)


def test_every_type_is_blanked_once(site: Site) -> None:
    """Each column is what the map says, activity, keys and the rest are untouched.

    A second sweep finds nothing that differs: 0 is 0.00, an empty list of json is empty.
    """
    site.config.write_policy("acme", "60 days", "30 days")
    rows = merged(
        [
            client(1, DUE - MICROSECOND),
            client(2, DUE),
            client(3, DUE + MICROSECOND),
            client(4, DUE, brand="zeta"),
        ]
    )
    site.load(rows)
    lanes = site.sweep()
    assert lanes["acme", Scope.BIOMETRICS].rows == {"irises": 6}
    assert lanes["acme", Scope.ALL].rows == {"client fields": 2, "documents": 4}
    wanted = erased(erased(rows, {"C1", "C2"}), {"C3"}, Scope.BIOMETRICS)
    site.expect(wanted)
    assert site.uris() == sorted(
        ("acme", row["client_id"], row["scan"])
        for row in rows[VISITS]
        if row["client_id"] in ("C1", "C2")
    )
    site.sweep_again()
    site.clock.forward(microseconds=1)
    assert site.sweep()["acme", Scope.ALL].accounts == 1
    site.expect(erased(wanted, {"C3"}))
    site.sweep_again()


def test_a_column_that_came_back_is_blanked_again(site: Site) -> None:
    """Only what differs is touched and counted: one client, one visit."""
    site.config.write_policy("acme", "60 days")
    rows = merged([client(1, DUE), client(2, DUE)])
    site.load(rows)
    site.sweep()
    site.execute("UPDATE clients SET full_name = 'Back' WHERE id = 'C2'")
    site.execute("UPDATE visits SET document = 'P9' WHERE id = %s", rows[VISITS][0]["id"])
    with site.worker() as worker:
        (lane,) = sweep(worker, reconcile=True).lanes
    assert (lane.accounts, lane.rows) == (2, {"client fields": 1, "documents": 1})
    site.expect(erased(rows, {"C1", "C2"}))


LEFT_OVER = (
    *((CLIENTS, column) for column in client_erased({"id": ""}) if column != "id"),
    *((VISITS, column) for column in visit_erased({"id": ""}) if column != "id"),
)


def test_each_column_counts_by_itself(site: Site) -> None:
    """A client of whom one column alone is left is due, whatever its type calls equal.

    To citext ERASED is Erased, and a circle equals any other of its size: not to an erasure.
    """
    site.config.write_policy("acme", "60 days")
    full = merged([client(number, DUE, visits=1) for number in range(len(LEFT_OVER))])
    gone = erased(full, {row["id"] for row in full[CLIENTS]})
    rows = erased(full, {row["id"] for row in full[CLIENTS]})
    for number, (table, column) in enumerate(LEFT_OVER):
        rows[table][number][column] = full[table][number][column] or [True]
    site.load(rows)
    lane = site.sweep()["acme", Scope.ALL]
    assert lane.accounts == len(LEFT_OVER)
    assert lane.rows == {"client fields": 12, "irises": 4, "documents": 3}
    site.expect(gone)
    site.sweep_again()


TOUCH = """
    CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.updated_at := '2026-03-15 11:59+00'; NEW.version := OLD.version + 1;
       RETURN NEW; END $$;
    CREATE TRIGGER touch BEFORE UPDATE ON public.clients
        FOR EACH ROW EXECUTE FUNCTION public.touch();
"""
VISIT_TOUCHES = """
    CREATE FUNCTION public.visited() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN UPDATE public.clients SET seen_at = '2026-03-15 11:59+00' WHERE id = NEW.client_id;
       RETURN NULL; END $$;
    CREATE TRIGGER visited AFTER UPDATE ON public.visits
        FOR EACH ROW EXECUTE FUNCTION public.visited();
"""


@pytest.fixture
def triggered(
    request: pytest.FixtureRequest, server: Server, product_template: str, tmp_path: Path
) -> Iterator[Site]:
    """The product with a trigger that was accepted; the parameter: SQL, its name, the activity.

    Where the trigger is on the visits, no entry writes to the clients.
    """
    statements, name, activity = request.param
    chosen = DATAMAP.replace("triggers: []", f"triggers: [{name}]").replace("seen_at", activity)
    if "visits" in name:
        first, last = chosen.index("  - name: client"), chosen.index("  - name: irises")
        chosen = chosen[:first] + chosen[last:]
    with site_of(server, product_template, tmp_path, chosen, NOW) as site:
        site.execute(statements)
        # The map reads one column more than the template's grants.
        site.execute("GRANT SELECT (updated_at) ON public.clients TO retention_worker")
        yield site


@pytest.mark.parametrize(
    "triggered", [(TOUCH, "public.clients.touch", "seen_at")], indirect=True, ids=["harmless"]
)
def test_an_accepted_trigger_that_changes_no_activity(triggered: Site) -> None:
    """It does what it does, once for each row that differed, and the erasure stands."""
    triggered.config.write_policy("acme", "60 days")
    rows = merged([client(1, DUE), client(2, NOW)])
    triggered.load(rows)
    triggered.sweep()
    wanted = erased(rows, {"C1"})
    wanted[CLIENTS][0] |= {"updated_at": NOW - timedelta(minutes=1), "version": 2}
    triggered.expect(wanted)
    triggered.sweep_again()


MAKES_ACTIVE = pytest.mark.parametrize(
    "triggered",
    [
        (TOUCH, "public.clients.touch", "updated_at"),
        (VISIT_TOUCHES, "public.visits.visited", "seen_at"),
    ],
    indirect=True,
    ids=["on the accounts", "on the transactions"],
)


@MAKES_ACTIVE
def test_an_accepted_trigger_that_makes_the_account_active(triggered: Site) -> None:
    """Erasing would be activity: the batch fails closed, and not a row is changed."""
    triggered.config.write_policy("acme", "60 days")
    triggered.load(merged([client(1, DUE), client(2, DUE)]))
    before = triggered.rows_now()
    with triggered.worker() as worker:
        (lane,) = sweep(worker).lanes
    assert (lane.stop_reason, lane.accounts, dict(lane.rows)) == (StopReason.FAILED, 0, {})
    assert "activity" in str(lane.reason)
    assert diff(before, triggered.rows_now()) == {}
    assert triggered.erasures() == []
    assert triggered.uris() == []


@MAKES_ACTIVE
def test_a_part_that_makes_the_account_active(triggered: Site) -> None:
    """The same for a part of a large account: it is not committed, and no row says complete."""
    triggered.config.write_policy("acme", "60 days")
    triggered.load(client(1, DUE))
    before = triggered.rows_now()
    with triggered.worker(batch_max_transactions=1) as worker:
        (lane,) = sweep(worker).lanes
    assert (lane.stop_reason, lane.accounts) == (StopReason.FAILED, 0)
    assert CLIENTS not in diff(before, triggered.rows_now())
    assert not any(complete for *_, complete in triggered.erasures())


def test_a_large_account_with_blanked_columns(site: Site) -> None:
    """Visits in parts, the client's own columns last, one complete row."""
    site.config.write_policy("acme", "60 days")
    rows = merged([client(1, DUE, visits=7), client(2, NOW)])
    site.load(rows)
    lane = site.sweep(batch_max_transactions=3)["acme", Scope.ALL]
    assert (lane.accounts, lane.objects_queued) == (1, 7)
    site.expect(erased(rows, {"C1"}))
    assert [complete for *_, complete in site.erasures()] == [False, False, False, True]
    site.sweep_again(batch_max_transactions=3)
