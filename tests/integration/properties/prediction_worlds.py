"""Small random worlds whose accounts stand where a due date is decided: to the microsecond."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from hypothesis import strategies as st

from tests.integration.properties.prediction_record import (
    INFINITY,
    MICROSECOND,
    MINUS_INFINITY,
    NEVER,
    Account,
    Hold,
    Period,
    Policy,
    Row,
    When,
)

TENANTS = ("acme", "birch", "cedar")

SCHEMA = """
CREATE TABLE accounts (id text PRIMARY KEY, tenant_id text, last_activity_at timestamptz);
CREATE TABLE logins (account_id text REFERENCES accounts, at timestamptz);
CREATE TABLE transactions (
    id int PRIMARY KEY, account_id text REFERENCES accounts, created_at timestamptz,
    name text NOT NULL DEFAULT '');
CREATE TABLE face (
    id int PRIMARY KEY, transaction_id int REFERENCES transactions, created_at timestamptz);
CREATE TABLE voice (id int PRIMARY KEY, account_id text REFERENCES accounts);
CREATE TABLE images (
    id int PRIMARY KEY, transaction_id int REFERENCES transactions, created_at timestamptz);
CREATE INDEX ON accounts (tenant_id, last_activity_at, id);
CREATE INDEX ON logins (account_id, at);
CREATE INDEX ON transactions (account_id);
CREATE INDEX ON face (transaction_id);
CREATE INDEX ON voice (account_id);
CREATE INDEX ON images (transaction_id);
"""

DATAMAP = """
accounts:
  table: public.accounts
  id: id
  tenant: tenant_id
  last_activity: last_activity_at
  activity:
    - {table: public.logins, key: account_id, at: at}
transactions:
  table: public.transactions
  id: id
  account: account_id
  created_at: created_at
  metadata: [created_at]
credentials:
  - name: face
    table: public.face
    class: biometric
    of: transaction
    key: transaction_id
    created_at: created_at
    erase: rows
  - {name: voice, table: public.voice, class: biometric, of: account, key: account_id, erase: rows}
  - name: images
    table: public.images
    class: other
    of: transaction
    key: transaction_id
    created_at: created_at
    erase: rows
  - name: names
    table: public.transactions
    class: other
    of: transaction
    key: id
    erase: {set: {name: ''}}
"""

# Keys of rows that hold something, by entry.
THERE = """
SELECT 'face', id FROM face UNION ALL SELECT 'voice', id FROM voice
UNION ALL SELECT 'images', id FROM images
UNION ALL SELECT 'names', id FROM transactions WHERE name <> ''
"""

PERIODS = (
    Period(text="1 day", days=1),
    Period(text="2 days", days=2),
    Period(text="2 weeks", days=14),
    Period(text="30 days", days=30),
    Period(text="1 month", months=1),
    Period(text="P1M15D", months=1, days=15),
    Period(text="P90D", days=90),
    Period(text="3 months", months=3),
    Period(text="11 months", months=11),
    Period(text="360 days", days=360),
    Period(text="1 year", months=12),
    Period(text="P1Y6M", months=18),
    Period(text="P2Y1M30D", months=25, days=30),
    Period(text="4 years", months=48),
)

# Where calendars are decided: short months, leap days, turns of the year.
STARTS = (
    datetime(2026, 1, 30, 18, tzinfo=UTC),
    datetime(2027, 2, 27, 23, 59, 59, 999_998, tzinfo=UTC),
    datetime(2028, 2, 28, 0, 0, tzinfo=UTC),
    datetime(2027, 4, 29, 12, tzinfo=UTC),
    datetime(2027, 12, 30, 6, tzinfo=UTC),
    datetime(2026, 6, 10, 0, 0, 0, 1, tzinfo=UTC),
)
DAY = timedelta(days=1)
# Days more lead from the end of a short month to those of a long one that are clipped to it.
LATER = (2 * DAY, 3 * DAY - timedelta(hours=6))
NUDGES = (timedelta(0), MICROSECOND, -MICROSECOND, DAY, -DAY, *LATER, -40 * DAY)
STRANGE: tuple[When, ...] = (
    None,
    INFINITY,
    MINUS_INFINITY,
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(2300, 2, 28, tzinfo=UTC),
    NEVER,
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that happens so long after what was before it; `account` is its place in order."""

    after: timedelta
    what: str
    account: int = 0
    until: timedelta | None = None
    policy: Policy | None = None


@dataclass(frozen=True, kw_only=True)
class World:
    """What is there, what happens before the predictions, and what is asked of them.

    `rest`: between the last step and the predictions; `at`: how much later plans are asked for;
    `tried`: a policy that is not there; `days`: of simulated sweeps; `probes`: accounts, by their
    places, around whose due dates a sweep is made; `leaps`: how long nobody sweeps after the days.
    """

    start: datetime
    policies: tuple[Policy, ...]
    accounts: tuple[Account, ...]
    steps: tuple[Step, ...]
    rest: timedelta
    at: tuple[timedelta, ...]
    tried: Policy
    days: int
    probes: tuple[int, ...]
    leaps: tuple[timedelta, ...]
    batch: int
    part: int


@st.composite
def policies(draw: st.DrawFn, tenant: str) -> Policy:
    """A file: one period, two that may stand beside each other, or none."""
    everything = draw(st.sampled_from([*PERIODS, None]))
    shorter = [p for p in PERIODS if everything is None or p.spans[1] < everything.spans[0]]
    biometrics = draw(st.sampled_from([*shorter, None]))
    paused = draw(st.sampled_from([False] * 7 + [True]))
    return Policy(tenant=tenant, everything=everything, biometrics=biometrics, paused=paused)


@st.composite
def times(draw: st.DrawFn, edges: Sequence[datetime], periods: Sequence[Period]) -> datetime:
    """An activity that is due at, a little before or after one of the edges, under a period."""
    edge = draw(st.sampled_from(edges))
    at = draw(st.sampled_from(periods)).before(edge) if periods else edge
    return at + draw(st.sampled_from(NUDGES))


@st.composite
def accounts(
    draw: st.DrawFn, number: int, tenant: str, usual: st.SearchStrategy[datetime], *, plain: bool
) -> Account:
    """An account with up to three transactions.

    `plain`: nothing but its own activity decides, and it has something of each class.
    """
    other: st.SearchStrategy[When] = st.one_of(usual, st.just(None), st.sampled_from(STRANGE))
    strange = not plain and draw(st.integers(0, 7)) == 0
    activity = draw(st.sampled_from(STRANGE)) if strange else draw(usual)
    account = Account(id=f"a{number:02}", tenant=tenant, activity=activity)
    if not plain:
        account.logins = draw(st.lists(other, max_size=draw(st.sampled_from([0, 0, 2]))))
    began = min(activity, STARTS[0]) if isinstance(activity, datetime) else STARTS[0]
    for place in range(draw(st.integers(1 if plain else 0, 3))):
        transaction = number * 10 + place
        account.transactions[transaction] = began
        made = st.none() if plain else st.one_of(st.none(), usual, other)
        for entry in ("face", "images"):
            for row in range(draw(st.integers(1 if plain else 0, 2))):
                key = transaction * 10 + row
                add = Row(entry=entry, key=key, transaction=transaction, made=draw(made))
                account.rows.add(add)
        if draw(st.booleans()):
            account.rows.add(Row(entry="names", key=transaction, transaction=transaction))
    if draw(st.booleans()):
        account.rows.add(Row(entry="voice", key=number))
    return account


SWEEPS = ("sweep",) * 4
HAPPENINGS = (*SWEEPS, "sign in", "log in", "enrol", "hold", "hold", "release", "policy")


@st.composite
def steps(draw: st.DrawFn, tenants: Sequence[str], *, plain: bool) -> Step:
    """A step; where all is plain, only sweeps and policies."""
    what = draw(st.sampled_from(("sweep", "policy") if plain else HAPPENINGS))
    tenant = draw(st.sampled_from(tenants))
    return Step(
        after=draw(st.sampled_from([MICROSECOND, timedelta(hours=7), DAY, 3 * DAY])),
        what=what,
        account=draw(st.integers(0, 29)),
        until=draw(st.sampled_from([None, DAY, 2 * DAY + MICROSECOND, 20 * DAY])),
        policy=draw(policies(tenant)) if what == "policy" else None,
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A world."""
    plain = draw(st.sampled_from([False, False, False, True]))
    start = draw(st.sampled_from(STARTS))
    tenants = TENANTS[: draw(st.integers(1, 3))]
    files = [draw(policies(tenant)) for tenant in tenants]
    # Some have accounts, and no file.
    missing = draw(st.sampled_from([False] * 5 + [True])) and len(files) > 1
    with_files = tenants[:-1] if missing else tenants
    days = draw(st.integers(2, 5))
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    edges = [start, *(midnight + number * DAY for number in range(1, days + 3))]
    happening = draw(st.lists(steps(with_files, plain=plain), min_size=2, max_size=6))
    people = []
    for number in range(draw(st.integers(5, 30))):
        tenant = draw(st.sampled_from(tenants))
        policy = next(file for file in files if file.tenant == tenant)
        periods = [p for p in (policy.everything, policy.biometrics) if p]
        usual = times(edges, periods)
        people.append(draw(accounts(number, tenant, usual, plain=plain)))
    return World(
        start=start,
        policies=tuple(file for file in files if file.tenant in with_files),
        accounts=tuple(people),
        steps=tuple(happening),
        rest=draw(st.sampled_from([MICROSECOND, timedelta(hours=3), DAY])),
        at=tuple(draw(st.sampled_from([(DAY,), (DAY, 32 * DAY), (MICROSECOND, 400 * DAY)]))),
        tried=draw(policies(draw(st.sampled_from(with_files)))),
        days=days,
        probes=tuple(draw(st.lists(st.integers(0, 29), max_size=2, unique=True))),
        leaps=tuple(draw(st.sampled_from([(33 * DAY,), (3 * DAY, 1500 * DAY), (400 * DAY,)]))),
        batch=draw(st.sampled_from([500, 3, 1])),
        part=draw(st.sampled_from([2_000, 2, 1])),
    )


class Application:
    """The product's tables, written to as the application does."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn = conn

    def add(self, people: Sequence[Account]) -> None:
        """Accounts with everything that they have."""
        with self.conn.pipeline():
            for account in people:
                self._add(account)

    def _add(self, account: Account) -> None:
        self.conn.execute(
            "INSERT INTO accounts VALUES (%s, %s, %s)",
            (account.id, account.tenant, account.activity),
        )
        for at in account.logins:
            self.log_in(account, at)
        for transaction, began in account.transactions.items():
            self.open(account, transaction, began)
        for row in account.rows:
            self.write(account, row)

    def sign_in(self, account: Account, at: When) -> None:
        """The account's own activity is set."""
        self.conn.execute(
            "UPDATE accounts SET last_activity_at = %s WHERE id = %s", (at, account.id)
        )

    def log_in(self, account: Account, at: When) -> None:
        """Activity that stands elsewhere."""
        self.conn.execute("INSERT INTO logins VALUES (%s, %s)", (account.id, at))

    def open(self, account: Account, transaction: int, at: datetime) -> None:
        """A transaction begins."""
        self.conn.execute(
            "INSERT INTO transactions VALUES (%s, %s, %s)", (transaction, account.id, at)
        )

    def write(self, account: Account, row: Row) -> None:
        """A credential is written."""
        if row.entry == "names":
            self.conn.execute("UPDATE transactions SET name = 'n' WHERE id = %s", (row.key,))
        elif row.entry == "voice":
            self.conn.execute("INSERT INTO voice VALUES (%s, %s)", (row.key, account.id))
        else:
            statement = f"INSERT INTO {row.entry} VALUES (%s, %s, %s)"
            self.conn.execute(statement.encode(), (row.key, row.transaction, row.made))

    def there(self) -> set[tuple[str, int]]:
        """The credentials that are there, by entry and key."""
        return set(self.conn.execute(THERE).fetchall())


def unused(account: Account, number: int, at: datetime) -> tuple[int, list[Row]]:
    """A new transaction of the account, with a face and an image of this instant."""
    transaction = 1_000 + number
    rows: list[Any] = [
        Row(entry=entry, key=transaction * 10, transaction=transaction, made=at)
        for entry in ("face", "images")
    ]
    account.transactions[transaction] = at
    account.rows.update(rows)
    return transaction, rows


def place(account: Account, at: datetime, until: timedelta | None) -> datetime | None:
    """A hold on the account, and when it ends; the same twice is one."""
    end = at + until if until else None
    if not any(hold.until == end and hold.placed <= at < hold.end for hold in account.holds):
        account.holds.append(Hold(placed=at, until=end))
    return end
