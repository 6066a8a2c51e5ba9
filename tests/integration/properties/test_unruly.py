"""Random histories of a world that does not keep to the worker's model, beside a plain model.

The model knows accounts, their activity, what hangs on them by foreign keys, periods and holds. It
knows nothing of tenant columns on children, of cases of ids, or of what the database refuses: where
something that is due stays for such a reason, somebody must be told; where nothing is said, nothing
may be left.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from retention_worker.domain.document import document
from retention_worker.domain.errors import GuardRefused, RetentionWorkerError
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.report import SweepReport
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.guard import holds
from retention_worker.service.plan.approve import approve
from retention_worker.service.plan.plan import plan
from retention_worker.service.request.erase import RequestedErasure, erase
from retention_worker.service.sweep.sweep import sweep
from retention_worker.service.verify import verify
from tests.config_folder import ConfigFolder
from tests.database import Database, temporary_database
from tests.integration.foreign.site import template_of
from tests.integration.properties.unruly import (
    BIOMETRIC,
    DATAMAP,
    REFUSES_BLANKS,
    SCHEMA,
    TENANTS,
    Account,
    Row,
    World,
)
from tests.server import Server
from tests.stage import NOW
from tests.worker import MovingClock, open_worker

PERIODS = {Scope.BIOMETRICS: timedelta(days=30), Scope.ALL: timedelta(days=120)}
# Longer than the longest wait before an account that failed is looked at again.
RETRIED = timedelta(hours=7)
# What a guarded lane may erase without a person.
FREE = 2


@dataclass
class Hold:
    """A hold: under which id and tenant it was placed, and what it has seen since.

    `spelled`: the id as the account had it, which is how `hold list` has it.
    """

    spelled: str
    account: str
    tenant: str | None
    transactions: set[str] = field(default_factory=set)
    voices: set[Row] = field(default_factory=set)


class Machine(RuleBasedStateMachine):
    """Histories of two tenants; `server` and `template` are set by the test."""

    server: Server
    template: str

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(TemporaryDirectory()))
        self.database: Database = self.stack.enter_context(
            temporary_database(self.server, self.template)
        )
        self.conn: psycopg.Connection = self.stack.enter_context(self.database.connect())
        self.conn.execute(REFUSES_BLANKS)
        self.world = World(self.conn)
        self.config = ConfigFolder(folder / "config")
        self.config.datamap.write_text(DATAMAP, encoding="utf-8")
        for tenant in TENANTS:
            self.config.write_policy(tenant, "120 days", "30 days")
        self.clock = MovingClock(NOW)
        self.worker = self.new_worker(guard_percent=100)
        self.rows: dict[int, set[Row]] = {}
        self.holds: list[Hold] = []
        self.asked: set[tuple[int, Scope]] = set()
        self.strange = False

    def new_worker(self, **chosen: Any) -> Context:
        """A worker of its own, as another replica would be."""
        given = {"overdue_after": timedelta(0)} | chosen
        opened = open_worker(self.database.worker_dsn, self.config, self.clock, **given)
        return self.stack.enter_context(opened)

    def teardown(self) -> None:
        """Close everything."""
        self.stack.close()

    # --- what the model says -----------------------------------------------------------------

    def is_held(self, account: Account) -> bool:
        """Whether a hold counts: by the id it was placed under, or by what it has seen."""
        name, mine = account.id.lower(), self.world.transactions(account.person)
        return any(
            name == hold.account
            or mine & hold.transactions
            or self.rows.get(account.person, set()) & hold.voices
            for hold in self.holds
        )

    def in_place(self, hold: Hold) -> Account | None:
        """The account that the hold was placed on, where it is still that."""
        for account in self.world.accounts().values():
            if (account.id.lower(), account.tenant) == (hold.account, hold.tenant):
                return account
        return None

    def see(self) -> None:
        """A sweep has looked at everything: a hold has seen what is under its account."""
        for hold in self.holds:
            account = self.in_place(hold)
            if account is not None:
                hold.transactions |= self.world.transactions(account.person)
                mine = self.rows.get(account.person, set())
                hold.voices |= {row for row in mine if row.table == "voice"}

    def due(self, account: Account) -> set[Scope]:
        """The scopes that are due."""
        if account.tenant not in TENANTS or self.is_held(account):
            return set()
        idle = self.clock.now - account.activity
        return {scope for scope, period in PERIODS.items() if idle >= period}

    def adopt(self) -> None:
        """Take what the application wrote into the model."""
        self.rows = self.world.credentials()

    # --- what the application does -------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """Both tenants have people, some of them due."""
        for tenant in TENANTS:
            for idle in (1, 40, 200):
                self.world.arrive(tenant, self.clock.now - timedelta(days=idle), 1)
        self.adopt()

    def person(self, data: Any) -> int:
        """One of the people."""
        found: int = data.draw(st.sampled_from(sorted(self.rows)))
        return found

    @rule(tenant=st.sampled_from(TENANTS), idle=st.integers(0, 200), number=st.integers(0, 3))
    def arrive(self, tenant: str, idle: int, number: int) -> None:
        """An account appears, new or from an import with old activity."""
        self.world.arrive(tenant, self.clock.now - timedelta(days=idle), number)
        self.adopt()

    @rule(
        data=st.data(),
        tenant=st.sampled_from([*TENANTS, "oldco", None]),
        frozen=st.booleans(),
    )
    def open(self, data: Any, tenant: str | None, frozen: bool) -> None:
        """A transaction comes that says some tenant, and may refuse to be blanked."""
        self.world.open(self.person(data), tenant, self.clock.now, frozen=frozen)
        self.strange = True
        self.adopt()

    @rule(data=st.data(), idle=st.integers(-2_000, 200))
    def touch(self, data: Any, idle: int) -> None:
        """An account's activity is set: to now, backwards, into the future."""
        self.strange |= idle < 0
        self.world.touch([self.person(data)], self.clock.now - timedelta(days=idle))

    @rule(
        data=st.data(),
        tenant=st.sampled_from([*TENANTS, None]),
        parts=st.sampled_from(
            [("account",), ("account", "transactions", "faces"), ("transactions",), ("faces",)]
        ),
    )
    def move(self, data: Any, tenant: str | None, parts: Sequence[str]) -> None:
        """A person, or a part of what is theirs, changes tenant."""
        self.world.move_tenant(self.person(data), tenant, parts=parts)
        self.strange = True

    @rule(data=st.data(), table=st.sampled_from(["accounts", "transactions"]))
    def rename(self, data: Any, table: str) -> None:
        """An account or a transaction changes its id."""
        self.world.rename(self.person(data), table)
        self.strange = True

    @rule(data=st.data())
    def merge(self, data: Any) -> None:
        """An account's transactions are another's from now on."""
        person, into = self.person(data), self.person(data)
        if person != into:
            self.world.merge(person, into)
            self.strange = True
            self.adopt()

    @rule(days=st.integers(0, 60), microseconds=st.integers(0, 3))
    def wait(self, days: int, microseconds: int) -> None:
        """Time passes."""
        self.clock.forward(days=days, microseconds=microseconds)

    @rule(data=st.data())
    def hold(self, data: Any) -> None:
        """A legal hold is placed."""
        person = self.person(data)
        account = self.world.accounts()[person]
        if account.tenant is None:
            return
        holds.place(
            self.worker,
            account.id.upper(),
            tenant=account.tenant,
            reason="court",
            actor="test",
            until=None,
        )
        hold = Hold(account.id, account.id.lower(), account.tenant)
        if not any((h.account, h.tenant) == (hold.account, hold.tenant) for h in self.holds):
            self.holds.append(hold)
        self.see()

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def release(self, data: Any) -> None:
        """A hold is released, whatever became of its account."""
        hold = data.draw(st.sampled_from(range(len(self.holds))))
        gone = self.holds.pop(hold)
        holds.release(self.worker, gone.spelled, tenant=gone.tenant, reason="over", actor="test")

    # --- what the worker does ------------------------------------------------------------------

    @rule(data=st.data(), scope=st.sampled_from(list(Scope)))
    def erase_one(self, data: Any, scope: Scope) -> None:
        """A request: what is said to be erased is not there; what is held stays."""
        person = self.person(data)
        account = self.world.accounts()[person]
        if account.tenant is None:
            return
        wanted = RequestedErasure(
            kind="account",
            subject=account.id.upper(),
            tenant=account.tenant,
            scope=scope,
            source="cli",
            actor="test",
            reason="Art. 17",
        )
        before = self.world.credentials()
        if self.is_held(account):
            with pytest.raises(GuardRefused):
                erase(self.worker, wanted)
            assert self.world.credentials() == before
            return
        self.asked.add((person, scope))
        try:
            erase(self.worker, wanted)
        except RetentionWorkerError:
            assert person in self.world.strays() | self.world.refusing()
        else:
            assert not set(of_scope(self.world.credentials()[person], scope))
        self.compare(before, {person: {scope}})

    @rule(workers=st.integers(1, 3))
    def sweep_all(self, workers: int) -> None:
        """A sweep of everything: what it leaves it says, what stays for a reason stays whole."""
        kept, before, due = self.world.kept(), self.world.credentials(), self.all_due()
        last = self.last_erasure()
        if workers > 1:
            threads = [
                threading.Thread(
                    target=self.quiet_sweep, args=(self.new_worker(guard_percent=100),)
                )
                for _ in range(workers - 1)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.clock.forward(microseconds=1)
        report = self.swept(self.worker)
        self.compare(before, due)
        self.complete_means_nothing_left(last)
        if self.irregular():
            return
        if any(of_scopes(self.rows[person], scopes) for person, scopes in due.items()):
            # Somebody was blocked before, and is tried again in its own time.
            self.clock.now += RETRIED
            before, due = self.world.credentials(), self.all_due()
            report = self.swept(self.worker)
            self.compare(before, due)
        left = {p for p, scopes in due.items() if set(of_scopes(self.rows[p], scopes))}
        assert not left, document(report)
        assert self.world.kept() == kept

    def quiet_sweep(self, worker: Context) -> None:
        """A sweep of another replica; what it says the last one says again."""
        with suppress(RetentionWorkerError):
            sweep(worker, reconcile=True)

    def swept(self, worker: Context) -> SweepReport:
        """Sweep, and hold against the world what it says of itself."""
        due = self.all_due()
        report = sweep(worker, reconcile=True)
        self.adopt()
        self.see()
        left = {p for p, scopes in due.items() if set(of_scopes(self.rows[p], scopes))}
        if left or any(self.in_place(hold) is None for hold in self.holds):
            assert report.exit_code == 1, (left, document(report))
        return report

    @rule(data=st.data(), twice=st.sampled_from(["once", "one after the other", "at once"]))
    def sweep_under_the_guard(self, data: Any, twice: str) -> None:
        """What is damaged after an approval does not go under it, however often it was given."""
        worker = self.new_worker(guard_percent=5, guard_min_accounts=FREE)
        waiting = [
            lane
            for lane in plan(worker).lanes
            if lane.stop_reason is StopReason.WAITING and lane.due
        ]
        if waiting:
            self.approve(worker, waiting, twice)
        shown = self.all_due()
        accounts = self.world.accounts()
        if data.draw(st.booleans()):
            active = [p for p in accounts if p not in shown]
            self.world.touch(active, self.clock.now - timedelta(days=20_000))
            self.strange = True
        before = self.world.credentials()
        self.clock.forward(microseconds=1)
        sweep(worker)
        self.adopt()
        harmed = [p for p in before if before[p] - self.rows[p] and p not in shown]
        harmed = [p for p in harmed if not self.was_asked(p)]
        for tenant in TENANTS:
            mine = [p for p in harmed if accounts[p].tenant == tenant]
            assert len(mine) <= FREE * len(Scope), (twice, mine)
        self.compare(before, self.all_due())
        self.see()

    def approve(self, worker: Context, lanes: Sequence[Any], twice: str) -> None:
        """One approval, or the same twice."""

        def once() -> None:
            approve(worker, lanes, reason="looked", actor="test", lasts=timedelta(days=1))

        if twice != "at once":
            for _ in range(1 if twice == "once" else 2):
                once()
            return
        threads = [threading.Thread(target=once) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @rule()
    def verify_it(self) -> None:
        """Verify does not say that nothing is wrong where something is."""
        found = verify(self.worker)
        accounts = self.world.accounts().values()
        ahead = self.clock.now + timedelta(days=1)
        if (
            any(self.world.credentials()[p] for p in self.world.strays())
            or any(self.in_place(hold) is None for hold in self.holds)
            or any(account.activity > ahead for account in accounts)
        ):
            assert found.wrong, document(found)
        if not self.strange and not self.all_due():
            assert not found.wrong, document(found)

    @rule()
    def mend(self) -> None:
        """Somebody puts right what was reported; what was due goes with one of the next sweeps."""
        self.world.mend()

    # --- what holds after every step -------------------------------------------------------------

    def all_due(self) -> dict[int, set[Scope]]:
        """The scopes that are due, of the people that have any."""
        found = {p: self.due(account) for p, account in self.world.accounts().items()}
        return {person: scopes for person, scopes in found.items() if scopes}

    def irregular(self) -> bool:
        """Whether something is in the way that the model knows nothing of."""
        return bool(self.world.strays() | self.world.refusing())

    def was_asked(self, person: int) -> bool:
        """Whether somebody asked for the person's erasure, which may still be under way."""
        return any(asked == person for asked, _ in self.asked)

    def compare(self, before: Mapping[int, set[Row]], due: Mapping[int, set[Scope]]) -> None:
        """Only what was due, or asked for, is gone; nothing came."""
        self.adopt()
        for person, had in before.items():
            asked = {scope for who, scope in self.asked if who == person}
            allowed = set(of_scopes(had, due.get(person, set()) | asked))
            assert had - self.rows[person] <= allowed, person
            assert self.rows[person] <= had, person

    def last_erasure(self) -> int:
        """The newest row of the ledger."""
        row = self.conn.execute("SELECT coalesce(max(id), 0) FROM retention.erasure").fetchone()
        assert row is not None
        return int(row[0])

    def complete_means_nothing_left(self, after: int) -> None:
        """A complete erasure left nothing, whatever a tenant's condition would have reached."""
        people = {account.id.lower(): p for p, account in self.world.accounts().items()}
        rows = self.conn.execute(
            "SELECT lower(subject_id), scope FROM retention.erasure "
            "WHERE id > %s AND complete AND kind = 'account'",
            (after,),
        )
        for subject, scope in rows:
            person = people.get(subject)
            if person is not None:
                assert not set(of_scope(self.rows[person], Scope(scope))), person

    @invariant()
    def nothing_changes_by_itself(self) -> None:
        """Between the steps every row is where the model has it."""
        assert self.world.credentials() == self.rows


def of_scope(rows: set[Row], scope: Scope) -> Iterator[Row]:
    """The rows that an erasure of the scope takes."""
    return (row for row in rows if scope is Scope.ALL or row.table in BIOMETRIC)


def of_scopes(rows: set[Row], scopes: set[Scope]) -> set[Row]:
    """The rows that erasures of these scopes take."""
    return {row for scope in scopes for row in of_scope(rows, scope)}


# A short look in every run, a long one (20,000 steps) where it is asked for.
LONG = bool(os.environ.get("RETENTION_TEST_LONG"))


def test_histories_of_an_unruly_world(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing goes that should stay, and what stays that should go is said, whatever happens."""
    folder = tmp_path_factory.mktemp("unruly")
    with template_of(server, folder, SCHEMA, DATAMAP) as template:
        machine = type("BoundMachine", (Machine,), {"server": server, "template": template})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=400 if LONG else 15,
                stateful_step_count=50 if LONG else 25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
