"""Last activity in every type that a product may keep it in, and at the edges of each."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retention_worker.domain.scope import Scope
from tests.integration.foreign.site import Rows, Site, site_of, template_of, without
from tests.server import Server

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
DUE = NOW - timedelta(days=60)
DUE_MS = int(DUE.timestamp()) * 1000
ACCOUNTS, KEYS = "public.app_user", "public.passkey"
ALL = ("shop", Scope.ALL)


@contextmanager
def clock_site(
    server: Server, folder: Path, kind: str, column: str, now: datetime
) -> Iterator[Site]:
    """A product of one account table, whose `seen` has this type and stands so in the map."""
    schema = f"""
        CREATE TABLE public.app_user (id text PRIMARY KEY, seen {kind});
        CREATE INDEX ON public.app_user (seen, id);
        CREATE TABLE public.passkey (id int PRIMARY KEY, app_user_id text NOT NULL, made {kind});
        CREATE INDEX ON public.passkey (app_user_id);
    """
    made = column if column.startswith("{") else f"{{column: {column}}}"
    datamap = f"""
        accounts: {{table: public.app_user, id: id, last_activity: {column}}}
        credentials:
          - name: passkeys
            table: public.passkey
            class: other
            of: account
            key: app_user_id
            created_at: {made.replace("seen", "made")}
            erase: rows
    """
    with (
        template_of(server, folder / "template", schema, datamap) as template,
        site_of(server, template, folder, datamap, now) as site,
    ):
        site.config.write_policy("shop", "60 days")
        yield site


def users(*seen: object) -> Rows:
    """A user for each value, called by its place; a passkey each, of no known age."""
    return {
        ACCOUNTS: [{"id": f"u{n}", "seen": value} for n, value in enumerate(seen)],
        KEYS: [{"id": n, "app_user_id": f"u{n}", "made": None} for n, _ in enumerate(seen)],
    }


def check(site: Site, rows: Rows, due: set[int]) -> None:
    """A sweep erases the passkeys of exactly these users, and a second one nothing."""
    site.sweep()
    site.expect(without(rows, KEYS, lambda row: row["id"] in due))
    site.sweep_again()


EDGES = [
    pytest.param(
        "timestamptz",
        "seen",
        ["-infinity", "infinity", None, "4714-11-24 00:00:00 BC", "0044-03-15 12:00 BC"],
        {3, 4},
        id="timestamptz",
    ),
    pytest.param(
        "timestamp",
        "seen",
        ["-infinity", "infinity", None, "0044-03-15 12:00 BC", "294276-12-31 23:59:59.999999"],
        {3},
        id="timestamp",
    ),
    pytest.param(
        "date",
        "seen",
        ["-infinity", "infinity", None, "0044-03-15 BC", "5874897-12-31", "2026-01-13"],
        {3, 5},
        id="date",
    ),
    pytest.param(
        "bigint",
        "{column: seen, unit: ms}",
        [None, 0, -1, DUE_MS, DUE_MS + 1, 2**63 - 1, -(2**63), -62135596800000],
        {1, 2, 3, 7},
        id="bigint",
    ),
    pytest.param(
        "bigint",
        "{column: seen, unit: us}",
        [DUE_MS * 1000, DUE_MS * 1000 + 1, 2**63 - 1, -(2**63)],
        {0},
        id="microseconds",
    ),
    pytest.param(
        "integer",
        "{column: seen, unit: s}",
        [DUE_MS // 1000, DUE_MS // 1000 + 1, 2**31 - 1, -(2**31), None],
        {0, 3},
        id="integer",
    ),
    pytest.param(
        "numeric(20,3)",
        "{column: seen, unit: ms}",
        [DUE_MS, f"{DUE_MS}.001", "NaN", "99999999999999999", None],
        {0},
        id="numeric",
    ),
    pytest.param(
        "double precision",
        "{column: seen, unit: s}",
        [DUE_MS / 1000, DUE_MS / 1000 + 1e-6, "NaN", "Infinity", "-Infinity", "-1e300", "1e300"],
        {0},
        id="double",
    ),
]


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
    """NULL and what is infinite either way are never due, however long the wait.

    Numbers that no timestamp can hold are a product's own words for never.
    """
    with clock_site(server, tmp_path, kind, column, NOW) as site:
        rows = users(*seen)
        site.load(rows)
        check(site, rows, due)


@pytest.mark.parametrize(
    ("kind", "column", "made"),
    [
        ("bigint", "{column: seen, unit: ms}", 2**63 - 1),
        ("double precision", "{column: seen, unit: s}", "NaN"),
        ("date", "seen", "5874897-12-31"),
        ("timestamp", "seen", "infinity"),
    ],
)
def test_a_credential_made_at_an_impossible_time(
    server: Server, tmp_path: Path, kind: str, column: str, made: object
) -> None:
    """It defers its own account for good; the others of the same batch are erased."""
    with clock_site(server, tmp_path, kind, column, NOW) as site:
        rows = users(*([0] * 3 if "unit" in column else ["2020-01-01"] * 3))
        rows[KEYS][1]["made"] = made
        site.load(rows)
        lane = site.sweep()[ALL]
        assert (lane.accounts, lane.deferred) == (2, 1)
        site.expect(without(rows, KEYS, lambda row: row["id"] != 1))


BERLIN = "{column: seen, time_zone: Europe/Berlin}"


def test_the_hour_that_comes_twice(server: Server, tmp_path: Path) -> None:
    """On 25 October 2026 the clocks of Berlin show 02:00 to 03:00 twice.

    A wall-clock time in between may mean either, so it is due once the second has passed its due
    date: an hour late at the most, and never early.
    """
    cutoff = datetime(2026, 10, 25, 0, tzinfo=UTC)  # 02:00, for the first time
    with clock_site(server, tmp_path, "timestamp", BERLIN, cutoff + timedelta(days=60)) as site:
        walls = ["01:59:59.999999", "02:00", "02:30", "02:59:59.999999", "03:00", "03:00:00.000001"]
        rows = users(*(f"2026-10-25 {wall}" for wall in walls))
        site.load(rows)
        check(site, rows, {0})
        site.clock.forward(hours=1, microseconds=-1)
        check(site, rows, {0})
        site.clock.forward(microseconds=1)  # 02:00, for the second time
        check(site, rows, {0, 1})
        site.clock.forward(minutes=30)
        check(site, rows, {0, 1, 2})
        site.clock.forward(minutes=30)
        check(site, rows, {0, 1, 2, 3, 4})
        site.clock.forward(microseconds=1)
        check(site, rows, {0, 1, 2, 3, 4, 5})


def test_the_hour_that_is_left_out(server: Server, tmp_path: Path) -> None:
    """On 29 March 2026 the clocks of Berlin go from 02:00 to 03:00.

    A row that says 02:30 nevertheless means 03:30 to PostgreSQL, and is due no earlier.
    """
    cutoff = datetime(2026, 3, 29, 1, tzinfo=UTC)  # 03:00 there
    with clock_site(server, tmp_path, "timestamp", BERLIN, cutoff + timedelta(days=60)) as site:
        rows = users("2026-03-29 01:59:59", "2026-03-29 02:00", "2026-03-29 02:30")
        site.load(rows)
        ((meant,),) = site.query(
            "SELECT seen AT TIME ZONE 'Europe/Berlin' FROM app_user WHERE id = 'u2'"
        )
        assert meant == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
        check(site, rows, {0, 1})
        site.clock.forward(minutes=30, microseconds=-1)
        check(site, rows, {0, 1})
        site.clock.forward(microseconds=1)
        check(site, rows, {0, 1, 2})


def test_a_date_is_over_at_midnight_there(server: Server, tmp_path: Path) -> None:
    """A date counts as its day's end, in the zone in which it was written."""
    midnight = datetime(2026, 7, 1, 22, tzinfo=UTC)  # of 2 July in Berlin
    with clock_site(server, tmp_path, "date", BERLIN, midnight + timedelta(days=60)) as site:
        rows = users("2026-06-30", "2026-07-01", "2026-07-02")
        site.load(rows)
        site.clock.forward(microseconds=-1)
        check(site, rows, {0})
        site.clock.forward(microseconds=1)
        check(site, rows, {0, 1})
        site.clock.forward(hours=24)
        check(site, rows, {0, 1, 2})


def test_seconds_in_an_integer_after_2038(server: Server, tmp_path: Path) -> None:
    """A cutoff beyond what the column holds is no error."""
    later = datetime(2040, 1, 1, tzinfo=UTC)
    with clock_site(server, tmp_path, "integer", "{column: seen, unit: s}", later) as site:
        rows = users(2**31 - 1, 0, None)
        site.load(rows)
        check(site, rows, {0, 1})


def test_leap_days_and_months(server: Server, tmp_path: Path) -> None:
    """A period of months is clipped at the month's end, in a column of wall-clock times too."""
    start = datetime(2028, 2, 29, 12, tzinfo=UTC)
    with clock_site(server, tmp_path, "timestamp", "seen", start) as site:
        site.config.write_policy("shop", "1 month")
        rows = users("2028-01-29 12:00", "2028-01-29 12:00:00.000001", "2028-01-31 12:00")
        site.load(rows)
        check(site, rows, {0})
        site.clock.forward(microseconds=1)
        check(site, rows, {0, 1})
        site.clock.forward(hours=11, minutes=59, seconds=59)
        check(site, rows, {0, 1})
        # 31 January + 1 month is the end of 29 February, the month's last day.
        site.clock.now = datetime(2028, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)
        check(site, rows, {0, 1, 2})
