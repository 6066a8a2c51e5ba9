"""The invariants as a state machine: random histories on a real database beside a plain model.

The model knows accounts, credentials, periods, holds and the clock, and nothing of lanes,
watermarks or batches. After each sweep every credential row must be where the model says.
"""

import itertools
import os
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

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

from retention_worker.domain.errors import (
    BatchTimeout,
    DatabaseUnavailable,
    GuardRefused,
    RetentionWorkerError,
    StatementFailed,
)
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.guard import holds, pause
from retention_worker.service.plan.approve import approve
from retention_worker.service.plan.plan import plan
from retention_worker.service.request.erase import RequestedErasure, erase
from retention_worker.service.sweep.sweep import sweep
from retention_worker.store.connection.session import Session
from tests.config_folder import ConfigFolder
from tests.database import Database, temporary_database
from tests.factories import (
    add_face_template,
    add_image,
    add_transaction,
    authenticate,
    make_account,
    set_last_activity,
)
from tests.server import Server
from tests.stage import NOW, UNGUARDED
from tests.worker import MovingClock, open_worker

TENANTS = ("acme", "birch")
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
BIOMETRIC = {"face_vectors", "face_templates", "authentication_vectors"}
# What a credential row is, where it hangs, and (for templates) when it was made.
CREDENTIALS = """
SELECT 'face_vectors', t.account_id, v.transaction_id, v.id::text, NULL
  FROM face_vectors v JOIN transactions t ON t.id = v.transaction_id
UNION ALL SELECT 'face_templates', t.account_id, v.transaction_id, v.id::text, v.created_at
  FROM face_templates v JOIN transactions t ON t.id = v.transaction_id
UNION ALL SELECT 'authentication_vectors', v.account_id, NULL, v.id::text, NULL
  FROM authentication_vectors v
UNION ALL SELECT 'images', t.account_id, v.transaction_id, v.id::text, NULL
  FROM images v JOIN transactions t ON t.id = v.transaction_id WHERE v.kind <> 'AUDIT'
UNION ALL SELECT 'extracted_data', t.account_id, v.transaction_id, v.id::text, NULL
  FROM extracted_data v JOIN transactions t ON t.id = v.transaction_id
"""
KEPT = """
SELECT count(*) || '/' || coalesce(sum(hashtext(x::text)), 0) FROM (
    SELECT t::text AS x FROM transactions t UNION ALL SELECT v::text FROM verification_results v
    UNION ALL SELECT a::text FROM authentications a
    UNION ALL SELECT i::text FROM images i WHERE kind = 'AUDIT') AS kept
"""


@dataclass(frozen=True)
class Row:
    """A credential: its table, transaction and key, and when it was made, where that counts."""

    table: str
    transaction: UUID | None
    key: str
    made: datetime | None


@dataclass
class Person:
    """An account as the model sees it; `seen` is the latest activity that any evidence gave."""

    tenant: str
    activity: datetime
    rows: set[Row] = field(default_factory=set)
    held: bool = False
    erased: bool = False
    seen: dict[Scope, datetime] = field(default_factory=dict)

    def newest(self, scope: Scope) -> datetime:
        """The account's activity, or that of a newer credential."""
        made = [row.made for row in self.rows if row.made is not None]
        return max([self.activity, *made, *([self.seen[scope]] if scope in self.seen else [])])


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
        self.config = ConfigFolder(folder / "config")
        self.clock = MovingClock(NOW)
        self.people: dict[UUID, Person] = {}
        self.periods: dict[str, dict[Scope, int] | None] = {}
        self.paused = False
        self.swept_at: datetime | None = None
        self.worker = self.new_worker()

    def new_worker(self, **settings: Any) -> Context:
        """A worker of its own, as another replica would be."""
        chosen = UNGUARDED | settings
        return self.stack.enter_context(
            open_worker(self.database.worker_dsn, self.config, self.clock, **chosen)
        )

    def teardown(self) -> None:
        """Close everything."""
        self.stack.close()

    @initialize()
    def policies(self) -> None:
        """Both tenants begin with both periods."""
        for tenant in TENANTS:
            self.write(tenant, 30, 120)

    def write(self, tenant: str, biometrics: int, everything: int) -> None:
        """Write a policy, in the file and in the model."""
        self.config.write_policy(tenant, f"{everything} days", f"{biometrics} days")
        self.periods[tenant] = {Scope.BIOMETRICS: biometrics, Scope.ALL: everything}

    def read(self) -> dict[UUID, set[Row]]:
        """The credentials that are there, by account."""
        found: dict[UUID, set[Row]] = {account: set() for account in self.people}
        for table, account, transaction, key, made in self.conn.execute(CREDENTIALS).fetchall():
            found[account].add(Row(table, transaction, key, made))
        return found

    def adopt(self) -> None:
        """Take what the application wrote into the model."""
        for account, rows in self.read().items():
            self.people[account].rows = rows
        for account, at in self.conn.execute("SELECT id, last_activity_at FROM accounts"):
            self.people[account].activity = at

    def person(self, data: Any) -> tuple[UUID, Person]:
        """One of the accounts."""
        account = data.draw(st.sampled_from(sorted(self.people)))
        return account, self.people[account]

    @rule(
        tenant=st.sampled_from(TENANTS),
        idle=st.integers(0, 200),
        transactions=st.integers(0, 3),
        biometrics=st.booleans(),
    )
    def arrive(self, tenant: str, idle: int, transactions: int, biometrics: bool) -> None:
        """An account appears, new or from an import with old activity."""
        made = make_account(
            self.conn,
            tenant=tenant,
            last_activity=self.clock.now - timedelta(days=idle),
            transactions=transactions,
            biometrics=biometrics,
        )
        self.people[made.account] = Person(tenant, self.clock.now)
        self.adopt()

    @precondition(lambda self: self.people)
    @rule(data=st.data(), event=st.sampled_from(["sign in", "new transaction"]))
    def act(self, data: Any, event: str) -> None:
        """Somebody uses the application."""
        account, _ = self.person(data)
        if event == "sign in":
            authenticate(self.conn, account, self.clock.now)
        else:
            add_image(
                self.conn, add_transaction(self.conn, account, self.clock.now), self.clock.now
            )
        self.adopt()

    @precondition(lambda self: self.people)
    @rule(data=st.data(), idle=st.integers(0, 200))
    def rewrite_activity(self, data: Any, idle: int) -> None:
        """A job sets an account's activity outright, backwards too."""
        account, _ = self.person(data)
        set_last_activity(self.conn, account, self.clock.now - timedelta(days=idle))
        self.adopt()

    @precondition(lambda self: self.people)
    @rule(data=st.data(), age=st.integers(0, 150))
    def template_without_activity(self, data: Any, age: int) -> None:
        """A template is made that the account's activity does not show."""
        _, person = self.person(data)
        transactions = sorted(row.transaction for row in person.rows if row.transaction)
        if not transactions:
            return
        try:
            add_face_template(self.conn, transactions[0], self.clock.now - timedelta(days=age))
        except psycopg.Error as exc:  # biometrics that were erased are not created again
            if exc.sqlstate != "RW001" or not person.erased:
                raise
        self.adopt()

    @rule(tenant=st.sampled_from(TENANTS), biometrics=st.integers(1, 60), more=st.integers(1, 100))
    def edit(self, tenant: str, biometrics: int, more: int) -> None:
        """Support edits a policy."""
        self.write(tenant, biometrics, biometrics + more)

    @rule(tenant=st.sampled_from(TENANTS), how=st.sampled_from(["broken", "removed", "paused"]))
    def spoil(self, tenant: str, how: str) -> None:
        """A file is broken, taken away or paused: nothing of the tenant may go."""
        if how == "broken":
            self.config.write_text(tenant, "tenant: x\nretention: {biometrics: 0 days}\n")
        elif how == "paused":
            self.config.write_policy(tenant, "2 days", "1 day", paused=True)
        elif self.periods.get(tenant) is not None:
            self.config.write_text(tenant, "")
        self.periods[tenant] = None

    @precondition(lambda self: self.people)
    @rule(data=st.data())
    def hold(self, data: Any) -> None:
        """A legal hold is placed, or released where there is one."""
        account, person = self.person(data)
        if person.held:
            holds.release(
                self.worker, str(account), tenant=person.tenant, reason="over", actor="test"
            )
        else:
            holds.place(
                self.worker,
                str(account),
                tenant=person.tenant,
                reason="court",
                actor="test",
                until=None,
            )
        person.held = not person.held

    @rule()
    def pause_or_resume(self) -> None:
        """Everything is paused, or goes on."""
        if self.paused:
            pause.resume(self.worker)
        else:
            pause.pause(self.worker, reason="release", actor="test", until=None)
        self.paused = not self.paused

    @rule(days=st.integers(0, 60), microseconds=st.integers(0, 3))
    def wait(self, days: int, microseconds: int) -> None:
        """Time passes."""
        self.clock.forward(days=days, microseconds=microseconds)

    @precondition(lambda self: self.people)
    @rule(data=st.data(), scope=st.sampled_from(list(Scope)))
    def erase_one(self, data: Any, scope: Scope) -> None:
        """A person's request: everything of the scope goes at once, unless it is held."""
        account, person = self.person(data)
        wanted = RequestedErasure(
            kind="account",
            subject=str(account),
            tenant=person.tenant,
            scope=scope,
            source="cli",
            actor="test",
            reason="Art. 17",
            in_progress=True,  # the application's transactions never end here
        )
        if person.held:
            with pytest.raises(GuardRefused):
                erase(self.worker, wanted)
            return
        erase(self.worker, wanted)
        self.gone(person, scope)

    def gone(self, person: Person, scope: Scope) -> None:
        """The model's erasure: biometrics that were newer than activity are remembered."""
        person.erased = True
        if scope is Scope.BIOMETRICS:
            made = [row.made for row in person.rows if row.made is not None]
            if made and max(made) > person.activity:
                person.seen[Scope.ALL] = max(made + list(person.seen.values()))
            person.rows = {row for row in person.rows if row.table not in BIOMETRIC}
        else:
            person.rows = set()
            person.seen = {}

    @rule(workers=st.integers(1, 4))
    def sweep_all(self, workers: int) -> None:
        """One to four workers sweep at once and look through everything."""
        kept = self.conn.execute(KEPT).fetchone()
        if workers == 1:
            sweep(self.worker, reconcile=True)
        else:
            replicas = [self.new_worker() for _ in range(workers)]
            threads = [
                threading.Thread(target=sweep, args=(each,), kwargs={"reconcile": True})
                for each in replicas
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            # Whoever found a tenant busy left it to the other; one more pass ends the work.
            self.clock.forward(microseconds=1)
            sweep(self.worker, reconcile=True)
        self.swept_at = self.clock.now
        assert self.conn.execute(KEPT).fetchone() == kept
        for person in self.people.values():
            self.expect(person)

    @rule(
        after=st.integers(1, 150),
        fault=st.sampled_from(
            [DatabaseUnavailable("cut"), StatementFailed("no", "23514"), BatchTimeout("late")]
        ),
    )
    def sweep_with_a_fault(self, after: int, fault: RetentionWorkerError) -> None:
        """Some statement fails: what went had to go, and the next sweep ends the work."""
        before = {account: set(person.rows) for account, person in self.people.items()}
        statements = itertools.count(1)
        execute = Session._execute

        def failing(session: Session, *args: Any, **options: Any) -> Any:
            if next(statements) == after:
                raise fault
            return execute(session, *args, **options)

        with pytest.MonkeyPatch.context() as patch, suppress(RetentionWorkerError):
            patch.setattr(Session, "_execute", failing)
            sweep(self.new_worker(), reconcile=True)
        self.swept_at = self.clock.now
        found = self.read()
        for account, person in self.people.items():
            self.expect(person)
            assert person.rows <= found[account] <= before[account]
        self.clock.forward(hours=7)  # what failed is tried again in its own time
        self.sweep_all(1)

    @rule()
    def sweep_under_the_guard(self) -> None:
        """A guarded worker erases nothing else, and with approvals as much as an unguarded one."""
        before = {account: set(person.rows) for account, person in self.people.items()}
        worker = self.new_worker(guard_percent=5, guard_min_accounts=2)
        sweep(worker, reconcile=True)
        self.swept_at = self.clock.now
        found = self.read()
        for account, person in self.people.items():
            self.expect(person)
            assert person.rows <= found[account] <= before[account]
        waits = [
            lane
            for lane in plan(worker).lanes
            if lane.stop_reason is StopReason.WAITING and lane.due
        ]
        if waits:
            lasts = timedelta(minutes=1)
            approve(worker, waits, reason="looked", actor="test", lasts=lasts)
        self.clock.forward(microseconds=1)
        sweep(worker, reconcile=True)
        for person in self.people.values():
            self.expect(person)

    @precondition(lambda self: self.swept_at is not None)
    @rule(hours=st.integers(2, 100_000))
    def clock_runs_backwards(self, hours: int) -> None:
        """A clock before the last sweep erases nothing."""
        now = self.clock.now
        assert self.swept_at is not None
        self.clock.now = max(self.swept_at - timedelta(hours=hours), EARLIEST)
        with pytest.raises(GuardRefused):
            sweep(self.worker, reconcile=True)
        self.clock.now = now

    def expect(self, person: Person) -> None:
        """What the rules say of an account at this instant."""
        periods = self.periods.get(person.tenant)
        if periods is None or self.paused or person.held:
            return
        for scope in Scope:
            cutoff = self.clock.now - timedelta(days=periods[scope])
            due = person.activity <= cutoff and person.newest(scope) <= cutoff
            if due and person.rows:
                self.gone(person, scope)

    @invariant()
    def every_row_is_where_the_model_says(self) -> None:
        """Nothing that should stay is gone, and nothing that should go is there."""
        found = self.read()
        for account, person in self.people.items():
            assert found[account] == person.rows, (account, person.tenant)

    @invariant()
    def the_ledger_counts_what_is_gone(self) -> None:
        """Batches and erasure rows agree, and chains are unbroken."""
        broken = self.conn.execute(
            "SELECT b.id FROM retention.batch b WHERE b.accounts <> (SELECT count(*) "
            "FROM retention.erasure e WHERE e.batch_id = b.id AND e.complete "
            "AND e.kind = 'account') "
            "OR (b.previous_hash IS NOT NULL AND NOT EXISTS (SELECT 1 FROM retention.batch p "
            "WHERE p.hash = b.previous_hash AND p.tenant_id = b.tenant_id AND p.id < b.id))"
        ).fetchall()
        assert broken == []


# A short look in every run, a long one where it is asked for.
LONG = bool(os.environ.get("RETENTION_TEST_LONG"))


def test_random_histories(server: Server, template: str) -> None:
    """Whatever happens in whatever order, every row is where the plain model says."""
    machine = type("BoundMachine", (Machine,), {"server": server, "template": template})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100 if LONG else 15,
            stateful_step_count=50 if LONG else 25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
