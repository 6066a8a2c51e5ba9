"""What was erased: not too early, not under a hold, not another tenant's, and not back again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from retention_worker.domain.datamap.credential import Credential
from retention_worker.domain.ledger.chain import LANE_SOURCES, REPLAY, SWEEP
from retention_worker.domain.ledger.verification import Observation
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holdfile
from retention_worker.service.verify.moment import Moment
from retention_worker.store.connection.session import Session
from retention_worker.store.verify import ErasedBatch, Periods, own_tables

_PAGE = 5_000
_EXAMPLES = 5


def back(session: Session, scene: Moment, entry: Credential) -> Iterator[Observation]:
    """Credentials of an entry that are there again after their erasure."""
    scopes = [scope for scope in Scope if scope.covers(entry.class_)]
    rows = session.rows(scene.looks.back(entry), scene.tenants() | {"scopes": scopes})
    for row in rows:
        yield Observation(
            check="back",
            tenant=scene.name(row["tenant_id"]),
            count=row["subjects"],
            examples=tuple(row["examples"]),
            message=f"{entry.name}: {row['subjects']} {row['kind']}(s) were erased and hold rows "
            "again: run sweep --reconcile, then find out what wrote them",
        )


def strangers(session: Session, scene: Moment) -> Iterator[Observation]:
    """Accounts that were erased in the name of another tenant."""
    statement = scene.looks.strangers()
    for row in session.rows(statement, scene.tenants()) if statement is not None else ():
        yield Observation(
            check="stranger",
            tenant=scene.name(row["tenant_id"]),
            count=row["accounts"],
            examples=tuple(row["examples"]),
            message=f"{row['accounts']} account(s) of another tenant were erased for this one, or "
            "were given to another tenant since",
        )


def held(session: Session, scene: Moment) -> Iterator[Observation]:
    """Accounts that were erased while a hold was active."""
    for each in own_tables.held_erasures(session, scene.only, alone=scene.looks.alone):
        yield Observation(
            check="hold",
            tenant=scene.name(each.tenant_id),
            count=each.count,
            examples=each.examples,
            message=f"{each.count} account(s) were erased while they were on hold",
        )


def holds_astray(session: Session, scene: Moment) -> Iterator[Observation]:
    """Holds that lost their account or a part of it, or were lost themselves with a restore."""
    yield from _holds_lost(session, scene)
    parameters = scene.tenants() | {"now": scene.now}
    by_tenant: dict[str, list[str]] = defaultdict(list)
    for row in session.rows(scene.looks.holds_astray(), parameters):
        # What a hold of another tenant has lost may be this one's by now.
        if scene.only in {None, row["tenant_id"]} or scene.values.get(scene.only) in row["places"]:
            by_tenant[row["tenant_id"]].append(row["account_id"])
    for tenant_id, accounts in by_tenant.items():
        yield Observation(
            check="hold-astray",
            tenant=scene.name(tenant_id),
            count=len(accounts),
            examples=tuple(accounts[:_EXAMPLES]),
            message=f"{len(accounts)} hold(s) lost their account, or a part of what they held: see "
            "`hold list`, then `hold move` or `hold release`",
        )


def _holds_lost(session: Session, scene: Moment) -> Iterator[Observation]:
    """Holds that the last export has and this database has not: a backup is older than they."""
    location = scene.context.settings.ledger_export
    if location is None:
        return
    found = [
        each
        for each in holdfile.lost(session, str(location), scene.now)
        if scene.only in {None, each.tenant_id}
    ]
    if found:
        yield Observation(
            check="hold-lost",
            count=len(found),
            examples=tuple(each.account_id for each in found[:_EXAMPLES]),
            message=holdfile.told(found, str(location)),
        )


class Early:
    """Looks through all erasure rows, a page at a time: was each due when it was erased.

    The due date is what the rule makes of the last activity and of the period of the policy that
    the batch names; the batch's own cutoff is not asked.
    """

    def __init__(self) -> None:
        self.erasures = 0
        self._examples: dict[tuple[str, Scope | None, str], list[str]] = defaultdict(list)
        self._counts: dict[tuple[str, Scope | None, str], int] = defaultdict(int)
        self._oldest: dict[tuple[str, Scope | None, str], datetime] = {}

    def look(self, session: Session, scene: Moment) -> Iterator[Observation]:
        """Everything, then what is wrong of it."""
        periods = own_tables.applied(session, scene.only)
        after = 0
        while page := own_tables.erased_batches(session, scene.only, after=after, limit=_PAGE):
            for batch in page:
                self.erasures += batch.accounts
                if fault := _fault(batch, periods):
                    self._note(scene, batch, fault)
            after = page[-1].batch
        for (tenant, scope, fault), count in self._counts.items():
            yield Observation(
                check="early",
                tenant=tenant,
                scope=scope,
                count=count,
                oldest=self._oldest[tenant, scope, fault],
                examples=tuple(self._examples[tenant, scope, fault]),
                message=f"{count} batch(es) erased {fault}",
            )

    def _note(self, scene: Moment, batch: ErasedBatch, fault: str) -> None:
        tenant, scope = min(batch.tenant_ids), Scope(min(batch.scopes))
        key = (scene.name(tenant), scope, fault)
        self._counts[key] += 1
        self._oldest.setdefault(key, batch.erased_at)
        if len(self._examples[key]) < _EXAMPLES:
            self._examples[key].append(batch.example)


def _fault(batch: ErasedBatch, periods: Periods) -> str | None:
    """What is wrong with a batch's erasure rows."""
    if batch.source is None:
        return "accounts and has no row of its own in the ledger"
    if len(batch.tenant_ids) > 1 or len(batch.scopes) > 1:
        return "accounts of several tenants or scopes at once"
    if batch.source not in LANE_SOURCES:
        return None  # a person asked for it, and no period applies
    if batch.policy_digest is None and batch.source != SWEEP:
        return None
    return _too_early(batch, periods)


def _too_early(batch: ErasedBatch, periods: Periods) -> str | None:
    (tenant_id,), (scope,) = batch.tenant_ids, batch.scopes
    key = (tenant_id, batch.policy_digest or "", Scope(scope))
    if key not in periods:
        if batch.source == REPLAY:
            return None  # of a time that this database has no log of; its export has
        return "accounts under a policy that was never applied for the tenant"
    period = periods[key]
    if period is None:
        return "accounts under a policy that says never"
    if batch.unknown or batch.latest is None:
        return "accounts without a last activity"
    if period.due_at(batch.latest) > batch.erased_at:
        return f"an account before the {period} of its policy were over"
    return None
