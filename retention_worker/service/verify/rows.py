"""What the policies and the data map miss: tenants, accounts without a time, rows of nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from retention_worker.domain.datamap.columns import TableName
from retention_worker.domain.datamap.credential import Credential
from retention_worker.domain.ledger.verification import Observation
from retention_worker.service.checks.warnings import latest_known, left_out_words
from retention_worker.service.verify.moment import Moment
from retention_worker.store.connection.session import Session
from retention_worker.store.verify import own_tables

# Of one kind; what is left out is counted.
_MOST_NAMED = 50


class Population:
    """Counts the accounts of every tenant and holds them against the policies."""

    def __init__(self) -> None:
        self.accounts = 0
        self.tenants = 0

    def look(self, session: Session, scene: Moment) -> Iterator[Observation]:
        """Tenants without a policy, policies without an account, accounts that are never due."""
        found = {row["value"]: row for row in session.rows(scene.looks.population(), _ahead(scene))}
        ids = {value: tenant_id for tenant_id, value in scene.values.items()}
        if scene.datamap.accounts.tenant is None:
            # All accounts are of the one tenant, whatever its file is called.
            only = next(iter(scene.in_force()), "")
            ids = dict.fromkeys(found, only)
        if scene.only is not None:
            found = {value: row for value, row in found.items() if ids.get(value) == scene.only}
        counts = {ids.get(value, str(value)): row for value, row in found.items()}
        self.accounts = sum(row["accounts"] for row in found.values())
        self.tenants = len(found)
        yield from _named(_without_policy(session, scene, counts))
        if not scene.policies.files and not scene.policies.broken:
            yield Observation(
                check="no-policy",
                count=self.accounts,
                message="no policy file is there: nothing is ever erased by retention",
            )
        yield from _named(_without_account(scene, counts))
        yield from _named(_never_due(scene, counts, "absent", "no"))
        yield from _named(_never_due(scene, counts, "infinite", "an infinite"))
        yield from _named(_in_the_future(scene, counts))


def _ahead(scene: Moment) -> dict[str, datetime]:
    """What is later is in the future, by more than clocks may differ; a date is its day's end."""
    skew = timedelta(seconds=scene.context.settings.max_clock_skew_seconds)
    return {"ahead": latest_known(scene.datamap, scene.catalog, scene.now, skew)}


def made_in_the_future(session: Session, scene: Moment, entry: Credential) -> Iterator[Observation]:
    """Credentials that say they are newer than now: their accounts are not due until then."""
    statement = scene.looks.made_ahead(entry)
    count = session.value(statement, _ahead(scene)) if statement is not None else 0
    if count:
        yield Observation(
            check="future",
            count=count,
            message=f"{entry.name}: {count} row(s) say that they were made in the future, and keep "
            "their accounts until then: mend the times, or the unit in the data map",
        )


def _in_the_future(scene: Moment, counts: Counts) -> Iterator[Observation]:
    for tenant_id, row in counts.items():
        if row["ahead"]:
            yield Observation(
                check="future",
                tenant=scene.name(tenant_id),
                count=row["ahead"],
                message=f"{row['ahead']} account(s) have a last activity in the future, and are "
                "kept until then: mend the times, or the unit in the data map",
            )


Counts = dict[str, dict[str, int]]
"""By tenant_id: accounts, those with an absent, an infinite and a future activity."""


def _without_account(scene: Moment, counts: Counts) -> Iterator[Observation]:
    for tenant_id, policy in scene.in_force().items():
        if tenant_id not in counts:
            yield Observation(
                check="no-account",
                tenant=policy.tenant,
                count=0,
                message=f"the policy matches no account: is tenant_id {tenant_id!r} right",
            )


def _never_due(scene: Moment, counts: Counts, what: str, words: str) -> Iterator[Observation]:
    for tenant_id, row in counts.items():
        if row[what]:
            yield Observation(
                check="no-activity",
                # Some are imports without a date; where all are, nothing is ever due.
                wrong=row[what] == row["accounts"],
                tenant=scene.name(tenant_id),
                count=row[what],
                message=f"{row[what]} account(s) have {words} last activity and are never due",
            )


def _without_policy(session: Session, scene: Moment, counts: Counts) -> Iterator[Observation]:
    """Tenants that no file is about; a file that was there once is missed."""
    applied = own_tables.applied_tenants(session)
    known = scene.in_force().keys()
    alike = {_folded(tenant_id): tenant_id for tenant_id in known}
    for tenant_id, row in counts.items():
        if tenant_id in known:
            continue
        name = applied.get(tenant_id, tenant_id)
        if name in scene.policies.broken:
            text, wrong = "has a policy file that is wrong: run policy check", True
        elif tenant_id in applied:
            text, wrong = f"had a policy, and tenants/{name}.yaml is gone", True
        elif not tenant_id.strip() or tenant_id == str(None):
            text, wrong = "accounts of no tenant have no policy", True
        elif (nearly := alike.get(_folded(tenant_id))) is not None:
            text, wrong = f"{tenant_id!r} is nearly {nearly!r}, and has no policy file", True
        else:
            text, wrong = "has no policy file", False
        yield Observation(
            check="no-policy",
            wrong=wrong,
            tenant=name,
            count=row["accounts"],
            message=f"{text}; its {row['accounts']} account(s) are never erased by retention",
        )


def _folded(tenant_id: str) -> str:
    return "".join(tenant_id.split()).casefold()


def _named(found: Iterator[Observation]) -> Iterator[Observation]:
    """What is wrong in full; of what is only worth knowing the first, and how many more."""
    left: list[Observation] = []
    for number, each in enumerate(found):
        if each.wrong or number < _MOST_NAMED:
            yield each
        else:
            left.append(each)
    if left:
        yield Observation(
            check=left[0].check,
            wrong=False,
            count=sum(each.count for each in left),
            message=f"and {len(left)} tenants more",
        )


def unclaimed(session: Session, scene: Moment, name: TableName) -> Iterator[Observation]:
    """Kinds of rows in a mapped table that no entry erases and nobody wrote under retained."""
    statement = scene.looks.unclaimed(name)
    for row in session.rows(statement, {}) if statement is not None else ():
        yield Observation(
            check="unclaimed",
            count=row["rows"],
            message=f"{name}: {row['rows']} row(s) with {row['kind']} are in no entry of the data "
            "map: add them to one, or write them under retained",
        )
    statement = scene.looks.left_out(name)
    for row in session.rows(statement, {}) if statement is not None else ():
        if row["rows"]:
            yield Observation(
                check="unclaimed",
                wrong=False,  # whoever wrote the map says so
                count=row["rows"],
                message=f"{name}: {row['rows']} row(s) {left_out_words(row['parents'])}",
            )


def _shared(session: Session, scene: Moment, name: TableName) -> Iterator[Observation]:
    """Rows that lead up to two accounts: they go with neither."""
    statement = scene.looks.shared(name)
    rows = session.value(statement, {}) if statement is not None else 0
    if rows:
        yield Observation(
            check="shared",
            count=rows,
            message=f"{name}: {rows} row(s) lead up to two accounts, so that nothing erases them: "
            "let each lead to one",
        )


def unreachable(session: Session, scene: Moment, entry: Credential) -> Iterator[Observation]:
    """Credentials under an account that a table on the way gives another tenant, or none."""
    statement = scene.looks.unreachable(entry)
    row = session.row(statement, {}) if statement is not None else None
    if row and row["rows"]:
        yield Observation(
            check="unreachable",
            count=row["rows"],
            examples=tuple(row["examples"]),
            message=f"{entry.name}: {row['rows']} row(s) of {row['accounts']} account(s) cannot be "
            "erased: they or their parents say another tenant than the account, or none: correct "
            "the tenant columns",
        )


def orphans(session: Session, scene: Moment, name: TableName) -> Iterator[Observation]:
    """Credentials that lead up to no account, or to two: nothing will ever erase them."""
    yield from _shared(session, scene, name)
    dated = any(
        each.created_at is not None for each in scene.datamap.credentials if each.table == name
    )
    before = scene.now - scene.context.settings.overdue_after
    row = session.row(scene.looks.orphans(name), {"before": before})
    assert row is not None
    if row["orphans"]:
        yield Observation(
            check="orphans",
            count=row["orphans"],
            message=f"{name}: {row['orphans']} row(s) of credentials belong to no account that is "
            "there, so that nothing erases them: delete them, or give them back their parents",
        )
    if row["unattached"]:
        stale = row["stale"] if dated else 0
        yield Observation(
            check="unattached",
            # Without a time an upload of this minute looks like one of last year.
            wrong=stale > 0,
            count=row["unattached"],
            message=f"{name}: {row['unattached']} row(s) of credentials name no parent"
            + (f", {stale} of them for long" if stale else "")
            + ", so that nothing erases them: attach them, or delete them",
        )
