"""Due accounts that can't be erased now are kept in mind, and looked at again."""

from datetime import timedelta

from psycopg import sql

from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds
from tests.factories import AccountIds, add_face_template
from tests.stage import Stage, lane


def hold(stage: Stage, account: AccountIds, **until: float) -> None:
    """Place a hold, with an end where one is given."""
    end = stage.clock.now + timedelta(**until) if until else None
    holds.place(
        stage.worker,
        str(account.account),
        tenant=account.tenant,
        reason="court order 7",
        actor="test",
        until=end,
    )


def test_a_hold_keeps_everything_until_it_is_released(stage: Stage) -> None:
    """An account on hold loses nothing, is counted apart, and goes soon after the release."""
    account = stage.account(idle_days=400)
    hold(stage, account)

    report = stage.sweep()
    assert stage.biometrics(account) > 0
    assert stage.others(account) > 0
    assert (lane(report, Scope.ALL).on_hold, lane(report, Scope.ALL).deferred) == (1, 0)

    stage.clock.forward(days=400)
    stage.sweep()
    assert stage.others(account) > 0

    holds.release(stage.worker, str(account.account), tenant="acme", reason="settled", actor="test")
    stage.sweep()
    assert stage.biometrics(account) == stage.others(account) == 0


def test_a_hold_ends_by_itself(stage: Stage) -> None:
    """A hold with an end keeps until then, and no longer."""
    account = stage.account(idle_days=400)
    hold(stage, account, days=10)

    stage.sweep()
    stage.clock.forward(days=9)
    stage.sweep()
    assert stage.others(account) > 0

    stage.clock.forward(days=1)
    stage.sweep()
    assert stage.others(account) == 0


def test_a_hold_of_one_account_leaves_the_others_to_go(stage: Stage) -> None:
    """The watermark passes an account on hold, and those around it are erased."""
    accounts = [stage.account(idle_days=400 + n) for n in range(5)]
    hold(stage, accounts[2])

    stage.sweep()

    assert [stage.others(each) > 0 for each in accounts] == [False, False, True, False, False]


def test_a_newer_credential_defers_the_whole_account(stage: Stage) -> None:
    """A credential newer than the account's activity counts as activity, for every credential."""
    account = stage.account(idle_days=400)
    add_face_template(stage.conn, account.transactions[0], stage.clock.now - timedelta(days=10))
    before = stage.biometrics(account), stage.others(account)

    report = stage.sweep()

    assert (stage.biometrics(account), stage.others(account)) == before
    assert lane(report, Scope.ALL).deferred == lane(report, Scope.BIOMETRICS).deferred == 1


def test_a_newer_credential_waits_for_its_own_age(stage: Stage) -> None:
    """A deferred account goes once its newest credential is as old as the period, not before."""
    account = stage.account(idle_days=100)
    add_face_template(stage.conn, account.transactions[0], stage.clock.now - timedelta(days=20))

    report = stage.sweep()
    assert lane(report, Scope.BIOMETRICS).deferred == 1
    assert stage.biometrics(account) > 0

    stage.clock.forward(days=69, hours=23)
    stage.sweep()
    assert stage.biometrics(account) > 0

    stage.clock.forward(hours=1)
    stage.sweep()
    assert stage.biometrics(account) == 0
    assert stage.count("SELECT count(*) FROM retention.deferred WHERE scope = 'biometrics'") == 0


def test_a_newer_credential_counts_even_after_it_was_erased(stage: Stage) -> None:
    """Biometrics that kept the account alive go first; the rest still waits for their age."""
    account = stage.account(idle_days=400)
    add_face_template(stage.conn, account.transactions[0], stage.clock.now - timedelta(days=100))

    stage.sweep()
    assert stage.biometrics(account) == 0
    assert stage.others(account) > 0

    stage.clock.forward(days=259, hours=23)
    stage.sweep()
    assert stage.others(account) > 0

    stage.clock.forward(hours=1)
    stage.sweep()
    assert stage.others(account) == 0
    assert stage.count("SELECT count(*) FROM retention.deferred") == 0


def test_what_was_erased_counts_even_after_a_hold(stage: Stage) -> None:
    """A hold that comes and goes in between takes nothing away from what is known."""
    account = stage.account(idle_days=400)
    add_face_template(stage.conn, account.transactions[0], stage.clock.now - timedelta(days=100))
    stage.sweep()
    assert stage.biometrics(account) == 0
    hold(stage, account)
    stage.sweep(reconcile=True)
    holds.release(stage.worker, str(account.account), tenant="acme", reason="settled", actor="test")

    stage.clock.forward(days=1)
    stage.sweep(reconcile=True)
    assert stage.others(account) > 0

    stage.clock.forward(days=259)
    stage.sweep(reconcile=True)
    assert stage.others(account) == 0


def test_a_locked_account_is_passed_over_and_comes_again(stage: Stage) -> None:
    """What the application has locked is deferred at once; the others go; later it goes, too."""
    accounts = [stage.account(idle_days=100 + n) for n in range(3)]
    with stage.database.connect() as other, other.transaction():
        other.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", (accounts[1].account,))
        report = stage.sweep()
    assert [stage.biometrics(each) > 0 for each in accounts] == [False, True, False]
    assert lane(report, Scope.BIOMETRICS).deferred == 1
    assert lane(report, Scope.BIOMETRICS).stop_reason is StopReason.EXHAUSTED

    stage.clock.forward(hours=1)
    stage.sweep()
    assert stage.biometrics(accounts[1]) == 0
    assert stage.count("SELECT count(*) FROM retention.deferred") == 0


def test_a_locked_credential_times_out_alone(stage: Stage) -> None:
    """A lock on one credential's row defers its account, never the batch around it."""
    accounts = [stage.account(idle_days=100 + n) for n in range(6)]
    with stage.database.connect() as other, other.transaction():
        other.execute(
            "SELECT 1 FROM face_vectors WHERE transaction_id = %s FOR UPDATE",
            (accounts[3].transactions[0],),
        )
        stage.sweep()
    assert [stage.biometrics(each) > 0 for each in accounts] == [n == 3 for n in range(6)]
    assert stage.conn.execute("SELECT reason FROM retention.deferred").fetchall() == [("timeout",)]

    stage.clock.forward(days=1)
    stage.sweep()
    assert stage.biometrics(accounts[3]) == 0


def test_an_account_that_fails_stops_nobody(stage: Stage) -> None:
    """An account whose erasure raises is deferred with its error; all others are erased."""
    accounts = [stage.account(idle_days=100 + n) for n in range(6)]
    stage.conn.execute(
        sql.SQL(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF OLD.transaction_id = {} THEN RAISE EXCEPTION 'secret of Jane Doe'; END IF; "
            "RETURN OLD; END $$"
        ).format(sql.Literal(str(accounts[2].transactions[0])))
    )
    stage.conn.execute(
        "CREATE TRIGGER fail BEFORE DELETE ON face_vectors FOR EACH ROW EXECUTE FUNCTION fail()"
    )
    text = stage.config.datamap.read_text()
    accepted = "accepted_triggers: [public.face_vectors.fail]"
    stage.config.datamap.write_text(text.replace("accepted_triggers: []", accepted))

    report = stage.sweep()

    assert [stage.biometrics(each) > 0 for each in accounts] == [n == 2 for n in range(6)]
    found = stage.conn.execute("SELECT reason, detail FROM retention.deferred").fetchone()
    assert found is not None
    assert found[0] == "error"
    assert "P0001" in found[1]
    assert "Jane" not in found[1]
    assert lane(report, Scope.BIOMETRICS).deferred == 1


def test_a_trigger_that_keeps_rows_is_noticed(stage: Stage) -> None:
    """Rows that a trigger keeps although they were deleted: rolled back, the lane has failed."""
    account = stage.account(idle_days=100)
    stage.conn.execute(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    )
    stage.conn.execute(
        "CREATE TRIGGER keep BEFORE DELETE ON face_vectors FOR EACH ROW EXECUTE FUNCTION keep()"
    )
    text = stage.config.datamap.read_text()
    accepted = "accepted_triggers: [public.face_vectors.keep]"
    stage.config.datamap.write_text(text.replace("accepted_triggers: []", accepted))
    before = stage.biometrics(account)

    report = stage.sweep()

    assert lane(report, Scope.BIOMETRICS).stop_reason is StopReason.FAILED
    assert stage.biometrics(account) == before
    assert stage.count("SELECT count(*) FROM retention.erasure") == 0
    assert report.exit_code == 1
