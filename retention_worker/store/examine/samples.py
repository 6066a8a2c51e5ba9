"""Short looks at rows, and at the statements as the server would plan them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from psycopg.sql import SQL, Composable, Composed, Identifier

from retention_worker.domain.datamap.columns import TableName
from retention_worker.domain.datamap.credential import Credential, Retained, SetAndRemove
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.errors import BatchTimeout, DriftError, StatementFailed
from retention_worker.store.catalog import Catalog
from retention_worker.store.connection.session import Session
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.mapsql.blanks import Blanks
from retention_worker.store.mapsql.paths import where_conditions
from retention_worker.store.mapsql.timecolumn import time_sql
from retention_worker.store.quoting import all_of, column, listed, table, type_of
from retention_worker.store.verify.statements import Looks

# A look may read a large table whole; nobody waits longer for a warning.
_TIMEOUT = "5s"
# More unclaimed rows than this tell nothing new about their kinds.
_ROWS = 10_000
_KINDS = 20
_COUNT = 1_000
# Of values that stand for a kind; longer ones are cut, for they are no kinds.
_KIND_LENGTH = 40


class TooSlow(Exception):
    """A look took longer than a warning is worth."""


@dataclass(frozen=True, kw_only=True)
class OddActivity:
    """Accounts without a time of activity, and with an infinite one; counted up to 1,000.

    `looked` of some accounts have a time; so many of them lie in the `future`, or `before` 1990.
    """

    absent: int
    infinite: int
    looked: int
    future: int
    before: int


@contextmanager
def _bounded(session: Session) -> Iterator[None]:
    try:
        with session.conn.transaction():
            session.conn.execute("SELECT set_config('statement_timeout', %s, true)", (_TIMEOUT,))
            yield
    except BatchTimeout as exc:
        raise TooSlow from exc


def unclaimed(
    session: Session,
    catalog: Catalog,
    entries: Sequence[Credential],
    retained: Sequence[Retained],
) -> list[dict[str, str | None]]:
    """Kinds of rows of one table that are in no entry's `where`: column -> value, at most 20.

    Raises:
        TooSlow: the table is too large to look through.
        DriftError: a privilege is missing.
    """
    first = entries[0]
    parts = [*entries, *(first.model_copy(update={"where": part.where}) for part in retained)]
    columns = list(dict.fromkeys(name for part in parts for name in part.where or ()))
    claimed = listed([all_of(where_conditions(catalog, part)) for part in parts], " OR ")
    names = listed(
        [
            SQL("left({}::text, {}) AS {}").format(
                column("c", name), SQL(str(_KIND_LENGTH)), Identifier(name)
            )
            for name in columns
        ]
    )
    statement = SQL(
        "SELECT DISTINCT * FROM (SELECT {} FROM {} AS c WHERE ({}) IS NOT TRUE LIMIT {}) AS rest "
        "LIMIT {}"
    ).format(names, table(first.table), claimed, SQL(str(_ROWS)), SQL(str(_KINDS)))
    with _bounded(session):
        return session.rows(statement)


@dataclass(frozen=True, kw_only=True)
class Unreachable:
    """How many rows of an entry say another tenant than their account; None: nobody knows.

    `sampled`: among the rows of a hundredth of the table.
    """

    rows: int | None
    sampled: bool = False


def unreachable(session: Session, looks: Looks, entry: Credential) -> Unreachable | None:
    """Look at all rows of an entry, or at some where that takes too long; None: none can be.

    Raises:
        DriftError, StatementFailed: a privilege is missing, or the map does not fit.
    """
    for sampled in (False, True):
        statement = looks.unreachable(entry, sample=sampled)
        if statement is None:
            return None
        with suppress(TooSlow), _bounded(session):
            return Unreachable(rows=session.value(statement), sampled=sampled)
    return Unreachable(rows=None)


def refused_blanks(
    session: Session, catalog: Catalog, entry: Credential, oids: Sequence[int]
) -> list[str]:
    """Why the database would refuse an entry's blanks, as far as it can be told without a row.

    By the types of the columns (domains too), and the CHECK constraints that are about blanked
    columns alone. Their lengths the server minds when it plans the statement. Nothing is written.
    """
    assert isinstance(entry.erase, SetAndRemove)
    table_of = catalog.table(entry.table)
    blanks = Blanks(entry.erase, table_of, entry.key, f"credentials[{entry.name}]")
    values = blanks.constants()
    found = []
    for name, value in list(values.items()):
        try:
            with _bounded(session):
                session.value(SQL("SELECT {}").format(value))
        except StatementFailed as exc:
            found.append(f"{name} is refused by its type ({exc.sqlstate})")
            del values[name]
    for row in session.rows("examine.checks", {"oids": list(oids)}):
        if not row["columns"] or not set(row["columns"]) <= values.keys():
            continue  # what else is in the row decides, too
        blanked = listed(
            [SQL("{} AS {}").format(values[name], Identifier(name)) for name in row["columns"]]
        )
        # The server's own words: it runs them whenever a row is written.
        expression = SQL(row["expression"].replace("%", "%%").replace("{", "{{").replace("}", "}}"))
        with suppress(StatementFailed), _bounded(session):
            if session.value(
                SQL("SELECT ({}) IS FALSE FROM (SELECT {}) AS blanked").format(
                    expression.format(), blanked
                )
            ):
                found.append(f"CHECK {row['name']} refuses it")
    return list(dict.fromkeys(found))


def left_out(session: Session, looks: Looks, name: TableName) -> tuple[str, int] | None:
    """Tables whose `where` leaves out rows that credentials hang on, and how many those are.

    Raises:
        TooSlow: the table is too large to look through.
        DriftError, StatementFailed: a privilege is missing, or the map does not fit.
    """
    statement = looks.left_out(name)
    if statement is None:
        return None
    with _bounded(session):
        row = session.row(statement, {})
    if row is None or not row["rows"]:
        return None
    return row["parents"], row["rows"]


def ahead(session: Session, looks: Looks, entry: Credential, latest: datetime) -> int:
    """How many rows of an entry say that they were made after an instant.

    Raises:
        TooSlow: the table is too large to look through.
        DriftError, StatementFailed: a privilege is missing, or the map does not fit.
    """
    statement = looks.made_ahead(entry)
    if statement is None:
        return 0
    with _bounded(session):
        return int(session.value(statement, {"ahead": latest}))


def odd_activity(session: Session, catalog: Catalog, datamap: DataMap) -> OddActivity:
    """How many accounts have no activity, or one that no period can be counted from.

    Raises:
        TooSlow: the table is too large to look through.
        DriftError: a privilege is missing.
    """
    accounts = datamap.accounts
    time = time_sql(catalog.table(accounts.table), accounts.last_activity, "accounts.last_activity")
    value = time.expression("a")
    infinite: Composable = SQL("FALSE")
    if time.info.type_name in ("timestamptz", "timestamp", "date", "float4", "float8"):
        infinite = SQL("{0} IN ('infinity'::{1}, '-infinity'::{1})").format(
            value, type_of(time.info)
        )
    counts = [
        SQL("(SELECT count(*) FROM (SELECT 1 FROM {} AS a WHERE {} LIMIT {}) AS n) AS {}").format(
            table(accounts.table), condition, SQL(str(_COUNT)), Identifier(name)
        )
        for name, condition in (
            ("absent", SQL("{} IS NULL").format(value)),
            ("infinite", infinite),
        )
    ]
    looked_at = SQL(
        "SELECT count(at) AS looked, count(*) FILTER (WHERE at > clock_timestamp() "
        "+ interval '1 day' AND at < 'infinity') AS future, "
        "count(*) FILTER (WHERE at < '1990-01-01' AND at > '-infinity') AS before "
        "FROM (SELECT {} AS at FROM {} AS a LIMIT {}) AS looked_at"
    ).format(time.instant("a"), table(accounts.table), SQL(str(_ROWS)))
    with _bounded(session):
        (row,) = session.rows(SQL("SELECT {}").format(listed(counts)))
        (times,) = session.rows(looked_at)
    return OddActivity(**row, **times)


def explain(session: Session, compiled: CompiledMap) -> Iterator[tuple[str, str]]:
    """The statements that the server would not plan: what each is for, and why."""
    for subject, statement in _statements(compiled):
        try:
            with _bounded(session):
                session.rows(SQL("EXPLAIN {}").format(statement), _Parameters())
        except (DriftError, StatementFailed) as exc:
            yield subject, str(exc)


# How a whole statement begins; compiled maps hold pieces, too.
_VERBS = ("SELECT", "WITH", "DELETE", "UPDATE")


class _Parameters(defaultdict[str, Any]):
    """Values of the right types for every statement; NULL where the statement casts."""

    def __init__(self) -> None:
        super().__init__(lambda: None)
        self.update(
            batch=0, now=datetime(2000, 1, 1, tzinfo=UTC), limit=1, part_limit=1, max_units=1
        )


def _statements(compiled: CompiledMap) -> Iterator[tuple[str, Composed]]:
    parts = [("accounts", compiled.accounts)]
    sources: list[tuple[str, Any]] = [
        *parts,
        *((f"credentials[{each.entry.name}]", each) for each in compiled.entries),
        *((f"credentials[{each.entries[0].entry.name}]", each) for each in compiled.steps),
        *((each.name, each) for each in compiled.parts),
    ]
    for subject, source in sources:
        for field in fields(source):
            value = getattr(source, field.name)
            # Others are pieces of statements.
            if isinstance(value, Composed) and value.as_string(None).startswith(_VERBS):
                yield subject, value
