"""What `explain` says of an account, state by state, is what a sweep then does."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from psycopg.sql import SQL, Identifier

from retention_worker.domain.errors import ConfigurationError, UnknownSubject
from retention_worker.domain.explain.explanation import (
    EntryExplained,
    Explanation,
    LaneExplained,
    State,
)
from retention_worker.domain.explain.explanation_json import to_json
from retention_worker.domain.explain.explanation_words import sentences
from retention_worker.domain.policy.window import Window
from retention_worker.domain.scope import Scope
from retention_worker.service.explain.explain import explain
from retention_worker.service.guard import holds, pause
from retention_worker.service.plan.approve import approve, waiting
from retention_worker.service.request.erase import RequestedErasure, erase
from tests.factories import (
    AccountIds,
    add_face_template,
    add_image,
    add_transaction,
    authenticate,
    make_account,
    set_last_activity,
)
from tests.grants import ROLE
from tests.snapshot import diff, snapshot
from tests.stage import Stage

MICROSECOND = timedelta(microseconds=1)


def explained(stage: Stage, account: AccountIds, tenant: str | None = "acme") -> Explanation:
    """Explain, and write nothing by it."""
    before = snapshot(stage.conn)
    found = explain(stage.worker, str(account.account), tenant=tenant)
    assert diff(before, snapshot(stage.conn)) == {}
    return found


def lane(found: Explanation, scope: Scope) -> LaneExplained:
    """One scope."""
    return next(each for each in found.lanes if each.scope is scope)


def entry(found: Explanation, name: str) -> EntryExplained:
    """One entry of the map."""
    return next(each for each in found.entries if each.entry.name == name)


def states(found: Explanation) -> tuple[State, State]:
    """The states of biometrics and of all credentials."""
    return lane(found, Scope.BIOMETRICS).state, lane(found, Scope.ALL).state


def said(found: Explanation) -> str:
    """All sentences."""
    return "\n".join(sentences(found))


def test_an_active_account(stage: Stage) -> None:
    """Each entry says when it goes, by which rule, and how many rows are there."""
    account = stage.account(idle_days=30, transactions=2)

    found = explained(stage, account)

    assert states(found) == (State.NOT_DUE, State.NOT_DUE)
    biometrics = lane(found, Scope.BIOMETRICS)
    assert biometrics.due_at == stage.clock.now + timedelta(days=60)
    assert biometrics.activity is not None
    assert biometrics.activity.source == "public.accounts.last_activity_at"
    assert str(biometrics.rule.period) == "90 days"
    assert biometrics.rule.file is not None
    assert biometrics.rule.file.endswith("acme.yaml")
    assert biometrics.rule.applied_at is None
    rows = {each.entry.name: each.entry.rows for each in found.entries}
    assert rows["face vectors"] + rows["face templates"] + rows[
        "authentication vectors"
    ] == stage.biometrics(account)
    assert entry(found, "selfies and ID images").entry.objects == 6
    assert "in 60 days" in said(found)
    assert "in 330 days" in said(found)
    assert found.exit_code == 0


def test_a_due_account_goes_with_the_next_sweep(stage: Stage) -> None:
    """Nothing in its way: the next sweep takes it, and it does."""
    account = stage.account(idle_days=90)

    found = explained(stage, account)

    assert states(found) == (State.DUE, State.NOT_DUE)
    assert entry(found, "face vectors").lane == lane(found, Scope.BIOMETRICS)
    assert "the next sweep erases them" in said(found)
    assert not lane(found, Scope.BIOMETRICS).overdue
    stage.sweep()
    assert stage.biometrics(account) == 0


def test_an_account_that_should_be_gone(stage: Stage) -> None:
    """Past the due date for more than a day with nothing in the way: somebody has to look."""
    account = stage.account(idle_days=92)

    found = explained(stage, account)

    assert lane(found, Scope.BIOMETRICS).overdue
    assert found.exit_code == 1
    assert "no sweep ever ran" in said(found)


def test_what_was_erased_and_under_which_policy(stage: Stage) -> None:
    """When, after which period, by the digest of the policy of then, objects still queued."""
    account = stage.account(idle_days=400, transactions=2)
    stage.worker.settings = stage.worker.settings.model_copy(update={"config_revision": "r1"})
    stage.sweep()
    then, digest = stage.clock.now, explained(stage, account).lanes[0].rule.digest
    stage.clock.forward(days=3)
    stage.config.write_policy("acme", all_credentials="2 years")
    stage.sweep()

    found = explained(stage, account)

    assert states(found) == (State.NOTHING, State.NOTHING)
    assert {each.scope: each.period for each in found.erasures} == {
        Scope.ALL: "360 days",
        Scope.BIOMETRICS: "90 days",
    }
    assert {each.policy_digest for each in found.erasures} == {digest}
    assert {each.erased_at for each in found.erasures} == {then}
    assert {each.revision for each in found.erasures} == {"r1"}
    assert {each.state for each in found.entries} == {State.ERASED}
    assert entry(found, "selfies and ID images").entry.outbox.left == {"queued": 6}
    assert "0 of 6 objects gone, 6 queued" in said(found)


def test_biometrics_are_gone_and_the_rest_waits(stage: Stage) -> None:
    """After the shorter period the biometrics say when they went, the others when they go."""
    account = stage.account(idle_days=100)
    stage.sweep()

    found = explained(stage, account)

    assert entry(found, "face vectors").state is State.ERASED
    assert entry(found, "extracted fields").state is State.NOT_DUE
    assert "Biometrics were erased" in said(found)
    assert "All credentials are due" in said(found)


def test_a_hold_keeps_everything_before_and_after_the_due_date(stage: Stage) -> None:
    """The person hears that a hold keeps it; who placed it and why is apart from the sentences."""
    account = stage.account(idle_days=100)
    until = stage.clock.now + timedelta(days=10)
    holds.place(
        stage.worker, str(account.account), tenant="acme", reason="court 7", actor="jo", until=until
    )
    stage.sweep()

    found = explained(stage, account)

    assert states(found) == (State.ON_HOLD, State.ON_HOLD)
    assert entry(found, "face vectors").lane == lane(found, Scope.BIOMETRICS)
    assert "a legal hold keeps everything of this account until" in said(found)
    assert "court 7" not in said(found)
    assert "court 7" in str(lane(found, Scope.ALL).obstacles[0].detail)
    stage.clock.now = until
    assert states(explained(stage, account)) == (State.DUE, State.NOT_DUE)


def test_a_pause_of_everything_and_one_in_the_file(stage: Stage) -> None:
    """Both are named where both are in the way."""
    account = stage.account(idle_days=90)
    pause.pause(stage.worker, reason="incident 4", actor="jo", until=None)
    found = explained(stage, account)
    assert states(found) == (State.PAUSED, State.PAUSED)
    assert "all erasure by age is paused" in said(found)

    stage.config.write_policy("acme", all_credentials="360 days", biometrics="90 days", paused=True)
    assert len(lane(explained(stage, account), Scope.BIOMETRICS).obstacles) == 2
    pause.resume(stage.worker)
    found = explained(stage, account)
    assert states(found) == (State.PAUSED, State.PAUSED)
    assert "paused for this tenant" in said(found)


def test_a_lane_that_waits_for_approval(stage: Stage) -> None:
    """Since when, why, and that it goes once somebody has approved."""
    stage.set(guard_percent=5, guard_min_accounts=1)
    account = stage.account(idle_days=91)
    for _ in range(8):
        stage.account(idle_days=90.5)
    stage.sweep()
    since = stage.clock.now
    stage.clock.forward(hours=1)
    stage.sweep()

    found = explained(stage, account)

    assert states(found)[0] is State.WAITING
    assert f"since {since:%Y-%m-%d %H:%M:%S} UTC" in said(found)
    assert found.exit_code == 1
    approve(
        stage.worker,
        waiting(stage.worker, "acme", None).lanes,
        reason="looked",
        actor="jo",
        lasts=timedelta(days=1),
    )
    assert states(explained(stage, account))[0] is State.DUE
    stage.sweep()
    assert stage.biometrics(account) == 0


def test_a_locked_account_says_when_it_is_tried_again(stage: Stage) -> None:
    """Deferred, with its attempts and the next time."""
    account = stage.account(idle_days=90)
    with stage.database.connect() as other, other.transaction():
        other.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", (account.account,))
        stage.sweep()

    found = explained(stage, account)

    assert states(found) == (State.DEFERRED, State.NOT_DUE)
    assert "in use when its turn came; tried 1 time, next at" in said(found)
    stage.clock.forward(hours=1)
    assert states(explained(stage, account))[0] is State.DUE


@pytest.mark.parametrize(
    ("reason", "words"),
    [("timeout", "too busy"), ("error", "refused"), ("partial", "the rest follows")],
)
def test_what_was_tried_in_vain(stage: Stage, reason: str, words: str) -> None:
    """A time-out, an error and a large account half way say so; the error only in the detail."""
    account = stage.account(idle_days=90)
    stage.conn.execute(
        "INSERT INTO retention.deferred (tenant_id, scope, account_id, account_key, reason, detail,"
        " retry_at, attempts, since) VALUES ('acme', 'biometrics', %s, ARRAY[%s], %s, 'SQLSTATE', "
        "%s, 3, %s)",
        (
            str(account.account),
            str(account.account),
            reason,
            stage.clock.now + timedelta(hours=1),
            stage.clock.now,
        ),
    )

    found = explained(stage, account)

    assert states(found)[0] is State.DEFERRED
    assert words in said(found)
    assert "tried 3 times" in said(found)
    assert "SQLSTATE" not in said(found)
    assert lane(found, Scope.BIOMETRICS).obstacles[0].detail == "SQLSTATE"


def test_a_half_erased_account(stage: Stage) -> None:
    """Stopped between two parts, what is left goes on with the next sweep."""
    stage.set(batch_max_transactions=10)
    account = stage.account(idle_days=100, transactions=60)
    stage.sweep(progress=lambda *_: stage.worker.stop.set())

    found = explained(stage, account)

    assert states(found)[0] is State.DUE
    assert entry(found, "face vectors").entry.erased_at is not None
    assert found.erasures == ()


def test_outside_the_window(stage: Stage) -> None:
    """Due, and erased in the hours in which sweeps may erase."""
    stage.set(window=Window.parse("01:00-05:00 Europe/Berlin"))
    account = stage.account(idle_days=90)

    found = explained(stage, account)

    assert states(found) == (State.OUTSIDE_WINDOW, State.NOT_DUE)
    assert "01:00-05:00 Europe/Berlin" in said(found)


def test_behind_the_watermark(stage: Stage) -> None:
    """An import with old activity is found by the pass through what sweeps have gone by."""
    stage.account(idle_days=100)
    stage.sweep()
    account = stage.account(idle_days=200)

    found = explained(stage, account)

    assert states(found) == (State.BEHIND, State.NOT_DUE)
    assert "after sweeps had passed its date" in said(found)
    stage.sweep(reconcile=True)
    assert stage.biometrics(account) == 0


def test_no_sweep_would_start(stage: Stage) -> None:
    """Where a guard or the data map stops every sweep, that is the reason, in one line."""
    account = stage.account(idle_days=90)
    stage.conn.execute("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'")
    stage.conn.execute(
        "CREATE TRIGGER t BEFORE DELETE ON face_vectors FOR EACH ROW EXECUTE FUNCTION f()"
    )

    found = explained(stage, account)

    assert states(found) == (State.STOPPED, State.NOT_DUE)
    assert "doctor" in str(lane(found, Scope.BIOMETRICS).obstacles[0].detail)
    assert found.exit_code == 1


def test_a_lane_that_failed(stage: Stage) -> None:
    """What the last sweep ended with, where only a person can help."""
    account = stage.account(idle_days=90)
    stage.sweep()
    stage.account(idle_days=100)
    other = stage.account(idle_days=90)
    stage.conn.execute("UPDATE retention.lane SET stop_reason = 'failed', reason = 'a trigger'")

    assert states(explained(stage, account))[0] is State.NOTHING
    found = explained(stage, other)
    assert states(found)[0] is State.STOPPED
    assert lane(found, Scope.BIOMETRICS).obstacles[0].detail == "failed: a trigger"


def test_a_newer_credential_is_the_activity(stage: Stage) -> None:
    """The source that decides is named, before a sweep has seen it and after."""
    account = stage.account(idle_days=100)
    at = stage.clock.now - timedelta(days=20)
    add_face_template(stage.conn, account.transactions[0], at)

    for _ in range(2):
        found = explained(stage, account)
        activity = lane(found, Scope.BIOMETRICS).activity
        assert activity is not None
        assert (activity.source, activity.at) == ("newest of face templates", at)
        assert states(found) == (State.NOT_DUE, State.NOT_DUE)
        assert lane(found, Scope.BIOMETRICS).due_at == at + timedelta(days=90)
        stage.sweep()


def test_activity_whose_evidence_was_erased(stage: Stage) -> None:
    """Biometrics that kept the account alive went; the rest still goes by their age."""
    account = stage.account(idle_days=400)
    at = stage.clock.now - timedelta(days=100)
    add_face_template(stage.conn, account.transactions[0], at)
    stage.sweep()

    found = explained(stage, account)

    assert states(found) == (State.NOTHING, State.NOT_DUE)
    activity = lane(found, Scope.ALL).activity
    assert activity is not None
    assert (activity.source, activity.at) == ("seen by an earlier sweep", at)


def test_an_activity_table_is_named(stage: Stage) -> None:
    """Rows elsewhere that count as activity, as the map says."""
    text = stage.config.datamap.read_text()
    source = "{table: public.authentications, key: account_id, at: created_at}"
    stage.config.datamap.write_text(
        text.replace("\ntransactions:", f"\n  activity: [{source}]\n\ntransactions:", 1)
    )
    stage.conn.execute(SQL("GRANT SELECT ON authentications TO {}").format(Identifier(ROLE)))
    account = stage.account(idle_days=100, authentications=0)
    at = stage.clock.now - timedelta(days=10)
    authenticate(stage.conn, account.account, at, succeeded=False)

    activity = lane(explained(stage, account), Scope.BIOMETRICS).activity

    assert activity is not None
    assert (activity.source, activity.at) == ("public.authentications.created_at", at)


@pytest.mark.parametrize("value", ["infinity", "-infinity"])
def test_no_activity_is_never_due(stage: Stage, value: str) -> None:
    """Nothing to count from: never due, and said so."""
    account = stage.account(idle_days=400)
    stage.conn.execute("UPDATE accounts SET last_activity_at = %s::timestamptz", (value,))

    found = explained(stage, account)

    assert states(found) == (State.NO_ACTIVITY, State.NO_ACTIVITY)
    assert "never due" in said(found)
    stage.sweep()
    assert stage.biometrics(account) > 0


def test_a_policy_that_says_never(stage: Stage) -> None:
    """A scope without a period stays; a biometric entry goes with the other scope."""
    account = stage.account(idle_days=30)
    stage.config.write_policy("acme", all_credentials="360 days")

    found = explained(stage, account)

    assert states(found) == (State.NEVER, State.NOT_DUE)
    assert entry(found, "face vectors").lane == lane(found, Scope.ALL)
    assert "never erases them by age" not in said(found)
    assert "they go with all credentials" in said(found)

    stage.config.write_policy("acme", biometrics="90 days")
    assert "All credentials: this tenant's rule never erases them by age" in said(
        explained(stage, account)
    )


def test_a_tenant_without_a_policy(stage: Stage) -> None:
    """No file: nothing is erased by age, said once."""
    account = stage.account(idle_days=900, tenant="birch")

    found = explained(stage, account, "birch")

    assert states(found) == (State.NO_POLICY, State.NO_POLICY)
    assert said(found).count("no retention rule") == 1
    assert found.exit_code == 0


def test_a_broken_policy_file(stage: Stage) -> None:
    """The line that is wrong is shown; the account is found by the tenant_id of the last sweep."""
    stage.config.write_policy("birch", all_credentials="90 days", tenant_id="b-17")
    account = stage.account(idle_days=10, tenant="b-17")
    stage.sweep()
    stage.config.write_text("birch", "tenant: birch\ntenant_id: b-17\nretention: 90\n")

    for name in ("birch", "b-17"):
        found = explained(stage, account, name)
        assert states(found) == (State.INVALID_POLICY, State.INVALID_POLICY)
        assert found.tenant == "birch"
        assert "birch.yaml:3:" in found.lanes[0].rule.problems[0]
        assert found.exit_code == 1


def test_a_tenant_is_named_by_its_file_or_its_id(stage: Stage) -> None:
    """Both lead to the same account and policy."""
    stage.config.write_policy("birch", all_credentials="90 days", tenant_id="b-17")
    account = stage.account(idle_days=10, tenant="b-17")

    assert explained(stage, account, "birch") == explained(stage, account, "b-17")
    assert found_in_capitals(stage, account, "birch") == explained(stage, account, "birch")


def found_in_capitals(stage: Stage, account: AccountIds, tenant: str) -> Explanation:
    """The same account, its id as a person may write it."""
    return explain(stage.worker, str(account.account).upper(), tenant=tenant)


@pytest.mark.parametrize("subject", ["00000000-0000-0000-0000-000000000000", "Jane"])
def test_an_unknown_account(stage: Stage, subject: str) -> None:
    """One line, and the exit code of wrong use."""
    with pytest.raises(UnknownSubject) as caught:
        explain(stage.worker, subject, tenant="acme")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_another_tenants_account_is_unknown(stage: Stage) -> None:
    """Tenants never see each other's."""
    account = stage.account(idle_days=10, tenant="birch")
    with pytest.raises(UnknownSubject):
        explain(stage.worker, str(account.account), tenant="acme")


def test_no_tenant_was_named(stage: Stage) -> None:
    """Where the map has a tenant column, the tenant has to be named."""
    with pytest.raises(ConfigurationError):
        explain(stage.worker, "x", tenant=None)


def test_an_account_whose_row_is_gone(stage: Stage) -> None:
    """The ledger still knows what was erased of it."""
    account = stage.account(idle_days=400, transactions=0, authentications=1)
    stage.sweep()
    stage.conn.execute("DELETE FROM authentications")
    stage.conn.execute("DELETE FROM accounts")

    found = explained(stage, account)

    assert not found.present
    assert found.lanes == ()
    assert "not in the database any more" in said(found)
    assert "were erased" in said(found)


def test_an_erasure_on_request(stage: Stage) -> None:
    """Ad-hoc erasure of a transaction and of the account: by whom it was asked, not by a rule."""
    account = stage.account(idle_days=5, transactions=2)
    for kind, subject in (("transaction", account.transactions[0]), ("account", account.account)):
        erase(
            stage.worker,
            RequestedErasure(
                kind=kind,
                subject=str(subject),
                tenant="acme",
                scope=Scope.ALL,
                source="cli",
                actor="jo",
                reason="Art. 17",
            ),
        )

    found = explained(stage, account)

    assert {each.kind for each in found.erasures} == {"account", "transaction"}
    assert said(found).count("on request (cli)") == 2
    assert f"of transaction {account.transactions[0]}" in said(found)


def test_a_request_that_is_not_finished(stage: Stage) -> None:
    """It is told with the date by which it has to be."""
    account = stage.account(idle_days=5)
    now = stage.clock.now
    stage.conn.execute(
        "INSERT INTO retention.request (tenant_id, kind, subject_id, subject_key, account_id,"
        " scope, source, actor, reason, requested_at, due_by)"
        " VALUES ('acme', 'account', %s, ARRAY[%s], %s, 'all', 'api', 'jo', 'Art. 17', %s, %s)",
        (*[str(account.account)] * 3, now, now + timedelta(days=30)),
    )

    assert "was asked for 2026-06-01 12:00:00 UTC and is not finished" in said(
        explained(stage, account)
    )


def test_credentials_that_came_back(stage: Stage) -> None:
    """Rows after an erasure are explained as rows, beside the erasure."""
    account = stage.account(idle_days=400)
    stage.sweep()
    with stage.conn.transaction():
        stage.conn.execute("SET LOCAL session_replication_role = replica")
        add_image(stage.conn, account.transactions[0], stage.clock.now - timedelta(days=400))

    found = explained(stage, account)

    assert lane(found, Scope.ALL).state is State.BEHIND
    assert entry(found, "selfies and ID images").entry.rows == 1
    assert "All credentials were erased" in said(found)


def test_the_json_document_holds_no_content(stage: Stage) -> None:
    """Names, numbers and times; no field of a person and no address of an object."""
    account = stage.account(idle_days=400)
    stage.sweep()
    document = str(to_json(explained(stage, account)))
    assert "s3://" not in document
    assert to_json(explained(stage, account))["entries"][0]["state"] == "erased"


@pytest.mark.parametrize("seed", range(8))
def test_due_is_what_a_sweep_takes_to_the_microsecond(stage: Stage, seed: int) -> None:
    """One microsecond before the due date a sweep leaves the scope alone; at it, the sweep erases.

    Periods of days and of months, month ends, newer credentials, sweeps in between.
    """
    random = Random(seed)
    period = random.choice(["90 days", "1 month", "3 months", "P1M10D"])
    stage.config.write_policy("acme", all_credentials="400 days", biometrics=period)
    start = datetime(2026, random.choice([1, 3, 8]), random.choice([28, 30, 31]), tzinfo=UTC)
    at = start + random.choice([timedelta(), timedelta(seconds=random.uniform(0, 86_399))])
    account = stage.account(idle_days=0)
    set_last_activity(stage.conn, account.account, at)
    stage.conn.execute("UPDATE face_templates SET created_at = '2000-01-01'")
    stage.clock.now = at + timedelta(days=random.randint(0, 20))
    for _ in range(random.randint(0, 2)):
        stage.sweep()
    if random.random() < 0.5:
        newer = at + timedelta(seconds=random.uniform(1, 1_000_000))
        add_face_template(stage.conn, account.transactions[0], newer)
    if random.random() < 0.3:
        add_transaction(stage.conn, account.account, at + timedelta(days=random.uniform(0, 20)))
    due_at = lane(explained(stage, account), Scope.BIOMETRICS).due_at
    assert due_at is not None

    stage.clock.now = due_at - MICROSECOND
    assert not lane(explained(stage, account), Scope.BIOMETRICS).due
    stage.sweep()
    assert stage.biometrics(account) > 0
    assert lane(explained(stage, account), Scope.BIOMETRICS).due_at == due_at

    stage.clock.now = due_at
    assert lane(explained(stage, account), Scope.BIOMETRICS).state is State.DUE
    stage.sweep()
    assert stage.biometrics(account) == 0


def test_the_last_day_of_a_month(stage: Stage) -> None:
    """31 January and a month: due at the last microsecond of 28 February, in both places."""
    stage.config.write_policy("acme", all_credentials="1 month")
    account = make_account(stage.conn, last_activity=datetime(2026, 1, 31, 12, tzinfo=UTC))
    due_at = lane(explained(stage, account), Scope.ALL).due_at
    assert due_at == datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
