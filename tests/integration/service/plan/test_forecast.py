"""A forecast is what sweeps, day by day, then erase; and it costs an index range a day."""

import json
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from psycopg.rows import dict_row

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.domain.document import document
from retention_worker.domain.errors import UnknownSubject
from retention_worker.domain.explain.forecast import Forecast, LaneForecast, day_ends
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds
from retention_worker.service.plan.forecast import forecast
from retention_worker.store.connection.pool import reading
from retention_worker.store.mapsql import compile_map
from retention_worker.store.mapsql.forecast import count_by_stretch
from tests.factories import add_face_template, make_account
from tests.snapshot import diff, snapshot
from tests.stage import Stage

Swept = dict[tuple[str, Scope], int]


def forecasted(stage: Stage, **options: Any) -> Forecast:
    """A forecast, and nothing is written by it."""
    before = snapshot(stage.conn)
    found = forecast(stage.worker, **options)
    assert diff(before, snapshot(stage.conn)) == {}
    return found


def lane(found: Forecast, scope: Scope, tenant: str = "acme") -> LaneForecast:
    """One lane."""
    return next(each for each in found.lanes if (each.tenant, each.scope) == (tenant, scope))


def sweep(stage: Stage) -> Swept:
    """One sweep: the accounts of each lane that had any."""
    return {
        (each.tenant, each.scope): each.accounts
        for each in stage.sweep().lanes
        if each.accounts and each.scope is not None
    }


def on_day(found: Forecast, day: date) -> Swept:
    """What the forecast says of a day."""
    return {(each.tenant, each.scope): each.days[day] for each in found.lanes if day in each.days}


def assert_same(stage: Stage, found: Forecast) -> None:
    """Sweep now and at each day's end: every lane erases what was forecast, no more, no fewer."""
    due_now = {(each.tenant, each.scope): each.now for each in found.lanes if each.now}
    assert sweep(stage) == due_now
    for end in day_ends(found.at, found.days):
        stage.clock.now = end
        assert sweep(stage) == on_day(found, end.date()), end


@pytest.mark.parametrize(
    ("seed", "periods"),
    [
        (0, ("90 days", "30 days")),
        (1, ("3 months", "1 month")),
        (2, ("6 months", "P1M15D")),
        (3, ("1 year", "6 weeks")),
    ],
)
def test_a_forecast_is_what_sweeps_then_erase(
    stage: Stage, seed: int, periods: tuple[str, str]
) -> None:
    """Two tenants, periods of days and months, month ends, times to the microsecond, 45 days."""
    random = Random(seed)
    stage.config.write_policy("acme", all_credentials=periods[0], biometrics=periods[1])
    stage.config.write_policy("birch", all_credentials=periods[1])
    stage.clock.now = datetime(2027, 2, random.randint(1, 28), random.randint(0, 23), tzinfo=UTC)
    for _ in range(70):
        at = stage.clock.now - timedelta(days=random.uniform(0, 200))
        if random.random() < 0.4:  # close to a month's end
            at = at.replace(day=1, hour=0, minute=0, second=0) + random.choice(
                [timedelta(microseconds=random.randint(-2, 2)), timedelta(days=-1, hours=9)]
            )
        make_account(stage.conn, last_activity=at, tenant=random.choice(["acme", "birch"]))
    if random.random() < 0.5:  # from a watermark on, too
        stage.sweep()

    found = forecasted(stage, days=45)

    assert sum(each.within(found.at, 45) for each in found.lanes) > 10
    assert_same(stage, found)


def test_a_watermark_in_the_middle_of_a_tie(stage: Stage) -> None:
    """A longer period than at the last sweep, and accounts of one instant around the watermark."""
    stage.config.write_policy("acme", all_credentials="60 days")
    at = stage.clock.now - timedelta(days=60)
    accounts = [make_account(stage.conn, last_activity=at) for _ in range(9)]
    for _ in range(5):
        stage.account(idle_days=59.9)
    stage.sweep()
    middle = sorted(str(each.account) for each in accounts)[3]
    stage.conn.execute("UPDATE retention.lane SET watermark_id = ARRAY[%s]", (middle,))
    stage.config.write_policy("acme", all_credentials="70 days")

    found = lane(forecasted(stage, days=20), Scope.ALL)

    assert found.now == 0
    day = stage.clock.now.date()
    assert found.days == {day + timedelta(days=10): 5 + 5}


def test_what_is_overdue_is_due_now(stage: Stage) -> None:
    """Everything that a sweep would look at now comes first, apart from today's rest."""
    for days in (400, 91, 90, 89.9, 89):
        stage.account(idle_days=days)

    found = lane(forecasted(stage, days=2), Scope.BIOMETRICS)

    today = stage.clock.now.date()
    assert found.now == 3
    assert found.days == {today: 1, today + timedelta(days=1): 1}


def test_deferred_accounts_count_when_they_come_again(stage: Stage) -> None:
    """A newer credential by its own age, a hold by its end; one without an end stands apart."""
    newer, until, open_end = (stage.account(idle_days=95) for _ in range(3))
    add_face_template(stage.conn, newer.transactions[0], stage.clock.now - timedelta(days=80))
    for account, end in ((until, stage.clock.now + timedelta(days=5)), (open_end, None)):
        holds.place(
            stage.worker,
            str(account.account),
            tenant="acme",
            reason="court",
            actor="test",
            until=end,
        )
    before = lane(forecasted(stage, days=30), Scope.BIOMETRICS)
    assert (before.now, before.days, before.on_hold) == (3, {}, 0)
    stage.sweep()

    found = forecasted(stage, days=30)

    biometrics, today = lane(found, Scope.BIOMETRICS), stage.clock.now.date()
    assert biometrics.now == 0
    assert biometrics.days == {today + timedelta(days=5): 1, today + timedelta(days=10): 1}
    assert biometrics.on_hold == 1
    assert_same(stage, found)


def test_remembered_activity_is_not_counted_twice(stage: Stage) -> None:
    """An account whose newer credential was erased with the biometrics is one account."""
    account = stage.account(idle_days=300)
    add_face_template(stage.conn, account.transactions[0], stage.clock.now - timedelta(days=290))
    stage.sweep()
    assert stage.count("SELECT count(*) FROM retention.deferred") == 1

    found = lane(forecasted(stage, days=90), Scope.ALL)

    assert found.within(stage.clock.now, 90) == 1


def test_tenants_paused_broken_and_unknown(stage: Stage) -> None:
    """A paused tenant is counted and said to be; a broken file is named; an unknown one refused."""
    stage.account(idle_days=100)
    stage.config.write_policy("acme", biometrics="90 days", paused=True)
    stage.config.write_text("birch", "tenant: birch\nretention: 90\n")

    found = forecasted(stage)

    assert lane(found, Scope.BIOMETRICS).paused
    assert lane(found, Scope.BIOMETRICS).now == 1
    assert "birch.yaml:2:" in found.broken["birch"]
    assert found.exit_code == 1
    only = forecasted(stage, tenants=["acme"])
    assert (only.broken, only.exit_code, len(only.lanes)) == ({}, 0, 1)
    with pytest.raises(UnknownSubject):
        forecast(stage.worker, tenants=["cedar"])


def test_the_json_document(stage: Stage) -> None:
    """Lane by lane: now, and the days on which something becomes due."""
    stage.account(idle_days=80)

    shown = document(forecasted(stage, days=20))

    assert json.loads(json.dumps(shown)) == shown
    assert shown["days"] == 20
    assert shown["upper_bound"] is True
    assert shown["lanes"][0] == {
        "tenant": "acme",
        "scope": "biometrics",
        "now": 0,
        "due": {"2026-06-11": 1},
        "on_hold": 0,
        "paused": False,
    }


def test_it_reads_an_index_entry_for_each_account_it_counts(stage: Stage) -> None:
    """An index-only scan a day, entered where the day begins: nothing is read and thrown away."""
    stage.conn.execute("INSERT INTO tenants (id, name) VALUES ('acme', 'acme'), ('birch', 'birch')")
    stage.conn.execute(
        "INSERT INTO accounts (id, tenant_id, external_ref, created_at, last_activity_at) "
        "SELECT gen_random_uuid(), CASE WHEN n %% 2 = 0 THEN 'acme' ELSE 'birch' END, n::text, "
        "%(at)s, %(at)s - n * interval '10 minutes' FROM generate_series(1, 40000) AS n",
        {"at": stage.clock.now},
    )
    stage.conn.execute("VACUUM ANALYZE accounts")
    datamap = load_datamap(stage.config.path).datamap
    ends = [stage.clock.now - timedelta(days=200 - n) for n in range(91)]
    with stage.database.connect_worker() as conn:
        statement = count_by_stretch(compile_map(conn, datamap, "retention"))
        parameters = {
            "tenant": "acme",
            "lows": [str(end) for end in ends[:-1]],
            "highs": [str(end) for end in ends[1:]],
            "after_activity": str(ends[3]),
            "after_id": ["00000000-0000-0000-0000-000000000000"],
        }
        with reading(conn):
            cursor = conn.cursor(row_factory=dict_row)
            rows = cursor.execute(statement, parameters).fetchall()
            text = "EXPLAIN (ANALYZE, FORMAT JSON) " + statement.as_string(conn)
            (plan,) = conn.execute(text.encode(), parameters).fetchone() or ()
    counted = sum(row["accounts"] for row in rows)
    nodes = list(_nodes(plan[0]["Plan"]))
    scans = [node for node in nodes if node.get("Relation Name") == "accounts"]
    assert counted > 6000
    assert scans
    assert all(node["Node Type"] == "Index Only Scan" for node in scans)
    read = sum(node["Actual Rows"] * node["Actual Loops"] for node in scans)
    # Before PostgreSQL 18 the rows of a loop are rounded, and each day is a loop.
    assert read == pytest.approx(counted, abs=len(ends) / 2)
    assert all(not node.get("Rows Removed by Filter") for node in scans)
    assert sum(node["Heap Fetches"] for node in scans) == 0


def _nodes(plan: dict[str, Any]) -> Any:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)
