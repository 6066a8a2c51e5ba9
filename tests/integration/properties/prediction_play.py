"""One world played beside its record: each sweep must leave what the record has, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from retention_worker.domain.lane.report import LanePlan, PlanReport, SweepReport
from retention_worker.service.context import Context
from retention_worker.service.guard import holds
from retention_worker.service.plan.plan import plan
from retention_worker.service.sweep.sweep import sweep
from tests.config_folder import ConfigFolder
from tests.database import Database
from tests.integration.properties.prediction_record import (
    SCOPES,
    Account,
    Lanes,
    Policy,
    Record,
    rows_of,
)
from tests.integration.properties.prediction_worlds import (
    Application,
    Step,
    World,
    place,
    unused,
)
from tests.stage import UNGUARDED
from tests.worker import MovingClock, open_worker

Counts = dict[tuple[str, str], tuple[int, dict[str, int]]]
"""Accounts and rows by entry, by tenant and scope."""


@dataclass(kw_only=True)
class Play:
    """An application's database, its files and clock, a worker on it, and the record of the same.

    `alone`: each account is a batch of its own. `digests`: which policy a digest in the ledger
    means. `seen`: accounts that a lane's sweep has passed, by tenant and scope; `odd`: those to
    which something happened after that.
    """

    application: Application
    config: ConfigFolder
    clock: MovingClock
    worker: Context
    record: Record
    alone: bool = False
    digests: dict[str, Policy] = field(default_factory=dict)
    seen: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    odd: set[str] = field(default_factory=set)

    def begin(self, world: World) -> None:
        """Write everything that is there at first."""
        for policy in world.policies:
            self.write(policy)
        self.record.accounts = {account.id: deepcopy(account) for account in world.accounts}
        self.application.add(world.accounts)

    def write(self, policy: Policy) -> None:
        """A tenant's file is written."""
        write_policy(self.config, policy)
        self.record.policies[policy.tenant] = policy

    def step(self, step: Step, number: int) -> None:
        """One thing happens."""
        self.clock.now += step.after
        if step.what == "sweep":
            self.sweep()
        elif step.what == "policy":
            assert step.policy is not None
            self.write(step.policy)
        else:
            people = list(self.record.accounts.values())
            self._happens(step, people[step.account % len(people)], number)

    def _happens(self, step: Step, account: Account, number: int) -> None:
        if any(account.id in seen for seen in self.seen.values()):
            self.odd.add(account.id)
        now = self.clock.now
        # Credentials without activity behind a watermark are found a slice at a time: not here.
        returns = step.what == "enrol" and account.id in self.odd
        if step.what == "sign in" or returns:
            account.activity = now
            self.application.sign_in(account, now)
        if step.what == "log in":
            account.logins.append(now)
            self.application.log_in(account, now)
        elif step.what == "enrol":
            transaction, rows = unused(account, number, now)
            self.application.open(account, transaction, now)
            for row in rows:
                self.application.write(account, row)
        elif step.what in {"hold", "release"} and account.tenant in self.record.policies:
            self._hold(step, account, {"tenant": account.tenant, "reason": "r", "actor": "a"})

    def _hold(self, step: Step, account: Account, told: Mapping[str, Any]) -> None:
        now = self.clock.now
        if step.what == "hold":
            until = place(account, now, step.until)
            holds.place(self.worker, account.id, until=until, **told)
        elif account.held(now):
            for hold in account.holds:
                if hold.placed <= now < hold.end:
                    hold.released = now
            holds.release(self.worker, account.id, **told)

    def sweep(self) -> Counts:
        """One sweep now: it takes what the record says, and what the plan had said before."""
        now = self.clock.now
        planned = plan(self.worker)
        self.compare_plan(planned, now)
        told = sweep(self.worker)
        for lane in told.lanes:
            self.digests[lane.policy_digest or ""] = self.record.policies[lane.tenant]
        paused = {lane.tenant for lane in told.lanes if lane.stop_reason == "paused"}
        wanted = self.record.sweep(now)
        did = swept(told)
        assert did == counts(wanted), now
        free = {key: each for key, each in said(planned).items() if key[0] not in paused}
        assert free == {key: each for key, each in did.items() if key[0] not in paused}
        self.compare_rows()
        self._see(now)
        return did

    def compare_plan(
        self, report: PlanReport, at: datetime, policies: Mapping[str, Policy] | None = None
    ) -> None:
        """A plan is what the record would let go then, under these policies or its own."""
        wanted = self.record.would_go(at, policies)
        assert said(report) == counts(wanted), at
        for lane in report.lanes:
            policy = (policies or self.record.policies)[lane.tenant]
            paused = policy.paused and lane.due
            assert lane.stop_reason == ("paused" if paused else lane.stop_reason and "paused")
            compare_cutoff(lane, policy, at)

    def compare_rows(self) -> None:
        """Every credential that should be there is there, and no other."""
        wanted = {
            (row.entry, row.key)
            for account in self.record.accounts.values()
            for row in account.rows
        }
        assert self.application.there() == wanted, self.clock.now

    def _see(self, now: datetime) -> None:
        """Which accounts each lane has passed by now, by their own activity alone."""
        for policy in self.record.policies.values():
            for scope in SCOPES if not policy.paused else ():
                seen = self.seen.setdefault((policy.tenant, scope), set())
                period = policy.period(scope)
                for account in self.record.of(policy.tenant) if period else ():
                    at = account.activity
                    due = period.due(at) if period and isinstance(at, datetime) else None
                    if due is not None and due <= now:
                        seen.add(account.id)


def compare_cutoff(lane: LanePlan, policy: Policy, at: datetime) -> None:
    """The cutoff is the last activity that is due: one microsecond later is not."""
    assert lane.scope is not None
    period = policy.period(lane.scope)
    assert period is not None
    assert lane.cutoff is not None
    due, next_due = period.due(lane.cutoff), period.due(lane.cutoff + timedelta(microseconds=1))
    assert due is not None
    assert due <= at
    assert next_due is None or next_due > at


def write_policy(config: ConfigFolder, policy: Policy) -> Path:
    """The policy as a file."""
    everything, biometrics = policy.everything, policy.biometrics
    extra: dict[str, Any] = {"paused": True} if policy.paused else {}
    return config.write_policy(
        policy.tenant,
        everything.text if everything else None,
        biometrics.text if biometrics else None,
        **extra,
    )


def counts(lanes: Lanes) -> Counts:
    """What goes, in numbers."""
    return {key: (len(lane), rows_of(lane)) for key, lane in lanes.items()}


def said(report: PlanReport) -> Counts:
    """What a plan says, in numbers."""
    return {(p.tenant, str(p.scope)): (p.due, without_zeros(p.rows)) for p in report.lanes}


def swept(report: SweepReport) -> Counts:
    """What a sweep did, in numbers."""
    return {(p.tenant, str(p.scope)): (p.accounts, without_zeros(p.rows)) for p in report.lanes}


def without_zeros(rows: Mapping[str, int]) -> dict[str, int]:
    """Rows by entry, where there are any."""
    return {entry: number for entry, number in rows.items() if number}


@contextmanager
def playing(
    database: Database, config: ConfigFolder, world: World, of: Play | None = None
) -> Iterator[Play]:
    """A play on a database: a new one, or one that goes on from where another stood."""
    clock = MovingClock(of.clock.now if of else world.start)
    sizes = {"batch_max_accounts": world.batch, "batch_max_transactions": world.part}
    with (
        database.connect() as conn,
        open_worker(database.worker_dsn, config, clock, **UNGUARDED, **sizes) as worker,
    ):
        yield Play(
            application=Application(conn),
            config=config,
            clock=clock,
            worker=worker,
            record=deepcopy(of.record) if of else Record(),
            alone=world.batch == 1,
            digests=dict(of.digests) if of else {},
            seen=deepcopy(of.seen) if of else {},
            odd=set(of.odd) if of else set(),
        )
