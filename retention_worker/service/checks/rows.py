"""What the rows themselves say, and how the server would run the statements."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby

from retention_worker.configfiles.policies import PolicySet
from retention_worker.domain.errors import DriftError, SchemaError, StatementFailed
from retention_worker.service.checks import warnings
from retention_worker.service.checks.examined import Examined, blanked
from retention_worker.service.checks.finding import Finding, refuse, warn, wrong
from retention_worker.service.checks.text import comma, table_sql
from retention_worker.service.checks.warnings import left_out_words, refused_words, unmatched
from retention_worker.store.connection.session import Session
from retention_worker.store.examine import (
    TooSlow,
    ahead,
    explain,
    left_out,
    odd_activity,
    refused_blanks,
    unclaimed,
    unreachable,
)
from retention_worker.store.mapped import accounts
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.migrations import status
from retention_worker.store.verify import Looks

# Below this a wrong estimate costs nothing.
_LARGE_BYTES = 8 * 1024 * 1024


def unclaimed_rows(session: Session, case: Examined) -> Iterator[Finding]:
    """Kinds of rows in a table of which entries take a part each, and nobody takes these."""
    entries = sorted(case.datamap.credentials, key=lambda entry: str(entry.table))
    for name, group in groupby(entries, key=lambda entry: entry.table):
        mine = list(group)
        kept = [part for part in case.datamap.retained if part.table == name]
        wheres = [*(part.where for part in mine), *(part.where for part in kept)]
        if any(where is None for where in wheres):
            continue
        try:
            found = unclaimed(session, case.facts.catalog, mine, kept)
        except TooSlow:
            yield warn("look", name, "was too large to look for rows that no entry claims")
            continue
        except (DriftError, StatementFailed):
            continue  # other checks tell why: columns, privileges, statements
        kinds = [" ".join(f"{column}={value}" for column, value in row.items()) for row in found]
        if kinds:
            yield warn(
                "unclaimed-rows",
                name,
                f"has rows that no entry claims ({comma(sorted(kinds))}): add them to the where of "
                "an entry, or write that part under retained",
            )


def refused(session: Session, case: Examined) -> Iterator[Finding]:
    """Blanks that the database would refuse whatever else is in the row."""
    for entry, erase in blanked(case.datamap):
        oids = [relation.oid for relation in case.facts.of(entry.table)]
        try:
            found = refused_blanks(session, case.facts.catalog, entry, oids)
        except (TooSlow, DriftError, StatementFailed):
            continue  # other checks tell why: columns, privileges, statements
        if found:
            yield wrong(
                "refused-blank",
                f"credentials[{entry.name}]",
                f"{entry.table} would not take its blanks ({comma(sorted(erase.columns))}): "
                f"{'; '.join(found)}: write values that it takes",
            )


def left_out_rows(session: Session, case: Examined) -> Iterator[Finding]:
    """Credentials below transactions that are none of the map's: nothing ever erases them."""
    for name in dict.fromkeys(entry.table for entry in case.datamap.credentials):
        try:
            looks = Looks(case.datamap, case.facts.catalog, session.schema_name)
            found = left_out(session, looks, name)
        except TooSlow:
            yield warn("look", name, "was too large to look for rows below what where leaves out")
            continue
        except (DriftError, StatementFailed):
            continue  # other checks tell why: columns, privileges, statements
        if found is not None:
            parents, rows = found
            yield warn(
                "unclaimed-rows", name, f"has {rows:,} row(s) that {left_out_words(parents)}"
            )


def other_tenants(session: Session, case: Examined) -> Iterator[Finding]:
    """Credentials under an account that a table on the way gives another tenant, or none."""
    for entry in case.datamap.credentials:
        subject = f"credentials[{entry.name}]"
        try:
            looks = Looks(case.datamap, case.facts.catalog, session.schema_name)
            found = unreachable(session, looks, entry)
        except (DriftError, StatementFailed):
            continue  # other checks tell why: columns, privileges, statements
        if found is None or found.rows == 0:
            continue
        if found.rows is None:
            yield warn("other-tenant", subject, "was too large to compare tenants: run `verify`")
            continue
        seen = "in a hundredth of the table" if found.sampled else "of the table"
        yield wrong(
            "other-tenant",
            subject,
            f"{found.rows:,} row(s) {seen} hang on an account and say another tenant than it, or "
            "none, or their parents do, so that they are never erased: correct the tenant columns; "
            "`verify` looks at all rows and names accounts",
        )


def tenants(session: Session, case: Examined, policies: PolicySet) -> Iterator[Finding]:
    """Policies for tenants that the database does not have, or cannot have, and the reverse."""
    compiled = case.compiled
    if compiled is None:
        return
    by_id = {file.policy.tenant_id: file for file in policies.files.values()}
    try:
        refused = accounts.refused_tenants(session, compiled, list(by_id))
        rest = [file for tenant_id, file in by_id.items() if tenant_id not in refused]
        ids = [file.policy.tenant_id for file in rest]
        empty = accounts.without_accounts(session, compiled, ids)
        nobody = list(unmatched(session, compiled, rest, empty))
        twice = accounts.one_tenant(session, compiled, ids)
        others = [
            *warnings.of_policies(session, compiled, policies),
            *warnings.of_tenants(session, compiled, policies),
        ]
    except (DriftError, StatementFailed):
        return  # other checks tell why: columns, privileges, statements
    for tenant_id in refused:
        yield wrong("tenant", by_id[tenant_id].path, f"tenant_id {refused_words(compiled)}")
    for file, words in nobody:
        yield wrong("tenant", file.path, words)
    for group in twice:
        paths = comma(str(by_id[each].path) for each in group)
        yield wrong("tenant", paths, "are to the database one and the same tenant: keep one file")
    for each in others:
        yield wrong("tenant", case.datamap.accounts.table, each.message)


def made_in_the_future(session: Session, case: Examined, now: datetime) -> Iterator[Finding]:
    """Credentials that say they are newer than now, and keep their accounts until then."""
    skew = timedelta(seconds=case.settings.max_clock_skew_seconds)
    for entry in case.datamap.credentials:
        subject = f"credentials[{entry.name}]"
        try:
            looks = Looks(case.datamap, case.facts.catalog, session.schema_name)
            latest = warnings.latest_known(case.datamap, case.facts.catalog, now, skew)
            found = ahead(session, looks, entry, latest)
        except TooSlow:
            yield warn("look", subject, "was too large to look for times in the future")
            continue
        except (DriftError, StatementFailed):
            continue  # other checks tell why: columns, privileges, statements
        if found:
            yield wrong(
                "future",
                subject,
                f"{found:,} row(s) say that they were made in the future, and keep their accounts "
                "until then: mend the times, or the unit in the data map",
            )


def activity(session: Session, case: Examined) -> Iterator[Finding]:
    """Accounts that are never due, because no period can be counted from their activity."""
    accounts = case.datamap.accounts
    try:
        found = odd_activity(session, case.facts.catalog, case.datamap)
    except TooSlow:
        yield warn("look", accounts.table, "was too large to look for accounts without activity")
        return
    except (DriftError, StatementFailed):
        return  # other checks tell why: columns, privileges, statements
    columns = comma(time.column for time in accounts.last_activity)
    for count, when in ((found.future, "in the future"), (found.before, "before 1990")):
        if count > found.looked / 2:
            yield refuse(
                "activity-unit",
                accounts.table,
                f"has a last activity ({columns}) {when} in {count:,} of {found.looked:,} accounts "
                "that were looked at: write the column's unit, or name another column",
            )
        elif count:
            yield wrong(
                "activity",
                accounts.table,
                f"has {count:,} of {found.looked:,} accounts that were looked at with a last "
                f"activity ({columns}) {when}: mend the times; `verify` counts them all",
            )
    for count, what, make in (
        (found.absent, "no", warn),
        (found.infinite, "an infinite", wrong),
    ):
        if count:
            yield make(
                "activity",
                accounts.table,
                f"has {_number(count)} with {what} last activity ({columns}), which are never due: "
                "set the time that they were last active",
            )


def _number(count: int) -> str:
    return "1,000 accounts or more" if count >= 1000 else f"{count} account(s)"


def never_analyzed(case: Examined) -> Iterator[Finding]:
    """Large tables of which the server has no statistics: its plans are guesses."""
    for relation in case.facts.relations:
        if relation.bytes >= _LARGE_BYTES and relation.estimated_rows <= 0:
            yield warn(
                "never-analyzed",
                relation.name,
                "is large and was never analyzed, so that the server guesses how to read it: "
                "analyze it",
                f"ANALYZE {table_sql(relation.name)};",
            )


def own_schema(session: Session) -> Iterator[Finding]:
    """The worker's own tables are missing or older."""
    try:
        missing = status(session.conn, session.schema_name)
    except (SchemaError, DriftError) as exc:
        yield refuse("own-schema", session.schema_name, str(exc))
        return
    if missing:
        yield warn(
            "own-schema",
            session.schema_name,
            f"lacks {comma(missing)}: run `retention-worker migrate`",
        )


def statements(session: Session, compiled: CompiledMap) -> Iterator[Finding]:
    """Statements that the server would refuse for a reason that no other check knows."""
    for subject, why in explain(session, compiled):
        yield refuse(
            "statement",
            subject,
            f"a value or a type in the map does not fit what it is used for: {why}",
        )
