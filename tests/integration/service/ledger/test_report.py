"""report MONTH: the ledger's numbers, and the proof that nothing went too early."""

import csv
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from random import Random

import pytest

from retention_worker.cli.commands import report as command
from retention_worker.domain.document import document
from retention_worker.domain.errors import ConfigurationError
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.ledger.chain import BatchRecord
from retention_worker.domain.ledger.monthly import ErasedGroup, MonthReport, TenantMonth
from retention_worker.domain.policy.period import Period
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds, pause
from retention_worker.service.ledger.report import report
from retention_worker.service.plan import approve
from retention_worker.service.plan.plan import plan
from retention_worker.store.connection.pool import writing
from retention_worker.store.connection.session import Session
from retention_worker.store.ledger import ledger
from retention_worker.store.own import lanes
from tests.integration.service.ledger.books import pauses_until_an_hour_ago, request
from tests.stage import Stage, lane


def made(stage: Stage, month: str = "2026-06") -> MonthReport:
    """The report; the stage's time is 1 June 2026, noon."""
    return report(stage.worker, month)


def acme(found: MonthReport) -> TenantMonth:
    """The one tenant."""
    [tenant] = found.tenants
    return tenant


def group(found: MonthReport, scope: str, source: str = "sweep") -> ErasedGroup:
    """What was erased of a scope."""
    [one] = [each for each in acme(found).erased if (each.scope, each.source) == (scope, source)]
    return one


def test_the_numbers_are_the_sweeps(stage: Stage) -> None:
    """Accounts, rows by entry, objects, batches; the rule in words."""
    for days in (400, 401, 100):
        stage.account(idle_days=days)
    sweep = stage.sweep()

    found = made(stage)

    for scope, period in ((Scope.ALL, "360 days"), (Scope.BIOMETRICS, "90 days")):
        said, did = group(found, scope), lane(sweep, scope)
        assert (said.accounts, dict(said.rows)) == (did.accounts, dict(did.rows))
        assert (said.objects, said.batches) == (did.objects_queued, did.batches)
        assert (said.period, said.policy_digest) == (period, did.policy_digest)
    assert (found.exit_code, found.over) == (0, False)


def test_how_early_and_how_late(stage: Stage) -> None:
    """The first went so long after it was due; those after the allowance are overdue."""
    for days in (90, 91, 97):
        stage.account(idle_days=days)
    stage.sweep()

    biometrics = group(made(stage), "biometrics")

    assert (biometrics.earliest, biometrics.latest) == (timedelta(0), timedelta(days=7))
    assert (biometrics.early, biometrics.late) == (0, 1)
    assert biometrics.proof == "earliest: less than a minute after due"


def test_what_was_kept_back_is_not_late(stage: Stage) -> None:
    """A hold, or a wait for an approval: late counts from its end, and only from a long one."""
    stage.config.write_policy("acme", biometrics="90 days")
    held, late, free = (str(stage.account(idle_days=100).account) for _ in range(3))
    for account in (held, late, free):
        holds.place(stage.worker, account, tenant="acme", reason="r", actor="a", until=None)
    stage.clock.forward(days=-3)
    holds.release(stage.worker, late, tenant="acme", reason="over", actor="a")
    stage.clock.forward(days=3, hours=-1)
    holds.release(stage.worker, held, tenant="acme", reason="over", actor="a")
    holds.release(stage.worker, free, tenant="acme", reason="over", actor="a")
    stage.clock.forward(hours=1)
    stage.sweep()
    assert (group(made(stage), "biometrics").accounts, group(made(stage), "biometrics").late) == (
        3,
        1,
    )


def test_what_became_due_under_pauses_is_not_late(stage: Stage) -> None:
    """Late counts from the end of the last of them, and only for who was not late before."""
    pauses_until_an_hour_ago(stage)
    for idle in (115, 110.5, 105, 95):
        stage.account(idle_days=idle)
    stage.sweep()
    found = group(made(stage), "biometrics")
    assert (found.accounts, found.late, found.early) == (4, 1, 0)


def test_a_pause_that_ended_long_ago_is_no_excuse(stage: Stage) -> None:
    """Ten days after it the accounts that became due under it are late."""
    now = stage.clock.now
    stage.account(idle_days=105)
    stage.clock.forward(days=-20)
    pause.pause(stage.worker, reason="r", actor="a", until=None)
    stage.clock.forward(days=10)
    pause.resume(stage.worker)
    stage.clock.forward(days=10)
    assert stage.clock.now == now
    stage.sweep()
    assert group(made(stage), "biometrics").late == 1


def test_what_waited_for_an_approval_is_not_late(stage: Stage) -> None:
    """The lane waited; what was approved goes within a day of it."""
    stage.config.write_policy("acme", biometrics="90 days")
    stage.set(guard_percent=5, guard_min_accounts=1)
    for _ in range(5):
        stage.account(idle_days=100)
    waits = lane(stage.sweep(), Scope.BIOMETRICS)
    assert waits.stop_reason is StopReason.WAITING
    approve.approve(
        stage.worker, plan(stage.worker).lanes, reason="r", actor="a", lasts=timedelta(days=7)
    )
    stage.sweep()
    assert (group(made(stage), "biometrics").accounts, group(made(stage), "biometrics").late) == (
        5,
        0,
    )


def test_what_went_too_early_is_found(stage: Stage) -> None:
    """Computed from the rows themselves: a wrong one is not hidden by the others."""
    for days in (92, 400):
        stage.account(idle_days=days)
    stage.sweep()
    stage.conn.execute(
        "UPDATE retention.erasure SET last_activity = erased_at - interval '90 days' "
        "+ interval '1 microsecond' WHERE id = (SELECT min(id) FROM retention.erasure)"
    )

    found = made(stage)

    assert group(found, "biometrics").early == 1
    assert group(found, "biometrics").proof == "1 too early"
    assert found.exit_code == 1


@pytest.mark.parametrize("period", ["1 month", "P1Y6M", "P1M10D", "45 days", "P11M29D"])
def test_the_due_date_is_the_policys(stage: Stage, period: str) -> None:
    """Month ends and leap days: the report's own arithmetic gives what the sweep's gives."""
    stage.config.write_policy("acme", all_credentials=period)
    stage.sweep()
    random, rule = Random(7), Period.parse(period)
    activities = [
        datetime(2024, 1, 28, tzinfo=UTC)
        + timedelta(hours=13 * n, microseconds=random.randrange(9))
        for n in range(120)
    ]
    for activity in activities:
        _erase(stage, activity)

    said = group(made(stage), "all")

    margins = [stage.clock.now - rule.due_at(activity) for activity in activities]
    assert (said.earliest, said.latest) == (min(margins), max(margins))
    assert said.early == sum(margin < timedelta(0) for margin in margins)


def _erase(stage: Stage, activity: datetime) -> None:
    digest = stage.conn.execute("SELECT max(digest) FROM retention.policy").fetchone()
    assert digest is not None
    with stage.worker.pool.connection() as conn, writing(conn):
        session = Session(conn, "retention")
        number = ledger.next_batch(session)
        head = lanes.read(session, "acme", Scope.ALL).head_hash
        record = BatchRecord(
            batch=number,
            sweep=1,
            request=None,
            tenant="acme",
            scope=Scope.ALL,
            source="sweep",
            cutoff=activity,
            policy_digest=digest[0],
            map_digest="0",
            accounts=1,
            counts={},
            objects=0,
            erased_at=stage.clock.now,
            erasures="",
            previous=head,
        )
        ledger.write(session, record, [(str(number), activity.isoformat())])


def test_a_month_has_what_is_in_it(stage: Stage) -> None:
    """From its first microsecond up to the next one's, in UTC."""
    moments = [
        datetime(2026, 6, 1, tzinfo=UTC) - timedelta(microseconds=1),
        datetime(2026, 6, 1, tzinfo=UTC),
        datetime(2026, 7, 1, tzinfo=UTC) - timedelta(microseconds=1),
        datetime(2026, 7, 1, tzinfo=UTC),
    ]
    for moment in moments:
        stage.clock.now = moment
        stage.account(idle_days=100)
        stage.sweep()

    assert [group(made(stage, month), "biometrics").accounts for month in MONTHS] == [1, 2, 1]
    assert [made(stage, month).over for month in MONTHS] == [True, True, False]
    with pytest.raises(ConfigurationError, match="2026-08 has not begun"):
        made(stage, "2026-08")


MONTHS = ("2026-05", "2026-06", "2026-07")


def test_holds(stage: Stage) -> None:
    """Placed, released, and in force at the end of the month."""
    accounts = [stage.account(idle_days=1) for _ in range(3)]
    for account in accounts:
        holds.place(
            stage.worker,
            str(account.account),
            tenant="acme",
            reason="a case",
            actor="tests",
            until=None,
        )
    stage.clock.forward(days=35)
    subject = str(accounts[0].account)
    holds.release(stage.worker, subject, tenant="acme", reason="over", actor="tests")

    assert acme(made(stage, "2026-06")).holds == {"placed": 3, "released": 0, "in_force": 3}
    assert acme(made(stage, "2026-07")).holds == {"placed": 0, "released": 1, "in_force": 2}


def test_approvals(stage: Stage) -> None:
    """Who let how much go, and how much of it went."""
    stage.set(guard_percent=1, guard_min_accounts=0)
    for n in range(4):
        stage.account(idle_days=100 + n)
    assert lane(stage.sweep(), Scope.BIOMETRICS).stop_reason is StopReason.WAITING
    approve.approve(
        stage.worker,
        approve.waiting(stage.worker, "acme", None).lanes,
        reason="first | run",
        actor="Ann",
        lasts=timedelta(days=7),
        at_most=None,
    )
    stage.sweep()

    [said] = acme(made(stage)).approvals

    assert (said.approved_by, said.reason, said.at_most, said.spent) == (
        "Ann",
        "first | run",
        4,
        4,
    )


def test_requests(stage: Stage) -> None:
    """Asked for in the month: what became of it, and what stayed open past its day."""
    first, second = stage.account(idle_days=1), stage.account(idle_days=1, transactions=2)
    request(stage, "account", str(first.account))
    request(stage, "transaction", str(second.transactions[0]), Scope.BIOMETRICS)
    stage.conn.execute(
        "UPDATE retention.request SET state = 'open', finished_at = NULL WHERE kind = 'account'"
    )

    early = made(stage)
    stage.clock.forward(days=60)
    june, july = (made(stage, month) for month in ("2026-06", "2026-07"))

    kinds = {each.kind: each for each in acme(early).requests}
    assert (kinds["account"].open, kinds["account"].late) == (1, 0)
    assert (kinds["transaction"].done, kinds["transaction"].requested) == (1, 1)
    # Due on 1 July: June ends before that, and July has it as open and late.
    assert {each.kind: each.late for each in acme(june).requests} == {
        "account": 0,
        "transaction": 0,
    }
    [open_] = acme(july).requests
    assert (open_.kind, open_.requested, open_.open, open_.late) == ("account", 0, 1, 1)
    assert (june.exit_code, july.exit_code) == (0, 1)
    asked = group(early, "biometrics", "cli")
    assert (asked.transactions, asked.accounts, asked.proof) == (1, 0, "asked for")


def test_a_request_that_is_late(stage: Stage) -> None:
    """A person is needed."""
    request(stage, "account", str(stage.account(idle_days=1).account))
    stage.conn.execute(
        "UPDATE retention.request SET state = 'open', finished_at = NULL, "
        "due_by = requested_at + interval '1 second'"
    )
    stage.clock.forward(days=1)

    found = made(stage)

    assert [each.late for each in acme(found).requests] == [1]
    assert found.exit_code == 1


def test_an_empty_month(stage: Stage) -> None:
    """Nothing to report is a report."""
    assert made(stage, "2026-05").tenants == ()


def test_one_tenant(stage: Stage) -> None:
    """With a tenant named, the others are not in it."""
    stage.config.write_policy("birch", biometrics="30 days", tenant_id="b-7")
    stage.account(idle_days=100)
    stage.account(idle_days=100, tenant="b-7")
    stage.sweep()

    assert [each.tenant for each in made(stage).tenants] == ["acme", "birch"]
    [birch] = report(stage.worker, "2026-06", tenant="birch").tenants
    assert (birch.tenant, birch.tenant_id) == ("birch", "b-7")


@pytest.mark.parametrize("text", ["2026-6", "2026-13", "06-2026", "2026", "", "2026-06-01", "x"])
def test_what_is_no_month(stage: Stage, text: str) -> None:
    """Said in a line that shows how to write one."""
    with pytest.raises(ConfigurationError, match="YYYY-MM"):
        made(stage, text)


def test_how_it_is_written(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Markdown with every row of a table as wide, CSV for spreadsheets, JSON."""
    for days in (100, 400):
        stage.account(idle_days=days)
    stage.sweep()
    found = made(stage)

    command._markdown(found)
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert len({len(line) for line in table}) == 1
    assert "earliest: 10 days after due" in table[2] + table[3]
    command._csv(found)
    rows = list(csv.DictReader(StringIO(capsys.readouterr().out)))
    assert {row["entry"]: int(row["rows"]) for row in rows if row["scope"] == "all"} == dict(
        group(found, "all").rows
    )
    assert json.loads(json.dumps(document(found)))["tenants"][0]["tenant"] == "acme"
