"""Biometrics that were erased are not created again for their transaction, whoever tries."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.demo import reference_schema
from retention_worker.service.sweep.sweep import sweep
from retention_worker.service.verify import verify
from retention_worker.store import catalog
from retention_worker.store.examine.recreation import SQLSTATE, recreation_sql
from retention_worker.store.ledger import ledger
from retention_worker.store.mapped import accounts, credentials
from tests.config_folder import SAMPLES
from tests.database import Database
from tests.factories import (
    AccountIds,
    add_face_template,
    add_image,
    add_transaction,
    complete_transaction,
)
from tests.integration.engine.interleave import in_background, right_after
from tests.stage import Stage

VECTOR = "INSERT INTO face_vectors (transaction_id, model, embedding) VALUES (%s, 'm', '\\x00')"


@pytest.fixture
def erased(stage: Stage) -> AccountIds:
    """An account whose biometrics a sweep has erased; its images stay."""
    account = stage.account(idle_days=100, transactions=2)
    stage.sweep()
    assert stage.biometrics(account) == 0
    return account


def refused(call: Callable[[], Any]) -> psycopg.errors.DatabaseError:
    """The error of a call that must be refused by our own SQLSTATE."""
    with pytest.raises(psycopg.DatabaseError) as caught:
        call()
    assert caught.value.sqlstate == SQLSTATE == "RW001"
    return caught.value


def wrong(stage: Stage) -> set[str]:
    """What `verify` finds wrong."""
    return {each.check for each in verify(stage.worker).wrong}


def test_the_reference_schema_has_the_triggers_of_its_map(database: Database) -> None:
    """What `doctor --sql` would print for the sample map stands in the schema, to the letter."""
    datamap = load_datamap(SAMPLES).datamap
    with database.connect() as conn:
        found = catalog.read(conn, catalog.mapped_tables(datamap))
    assert recreation_sql(datamap, found, "retention") in reference_schema()


def test_an_insert_is_refused(stage: Stage, erased: AccountIds) -> None:
    """Vector and template, for each of the account's transactions, and nothing personal is said."""
    for transaction in erased.transactions:
        error = refused(lambda t=transaction: stage.conn.execute(VECTOR, (t,)))  # type: ignore[misc]
        refused(lambda t=transaction: add_face_template(stage.conn, t, stage.clock.now))  # type: ignore[misc]
        for name in (transaction, erased.account):
            assert str(name) not in str(error) + str(error.diag.message_detail)
        assert (error.diag.schema_name, error.diag.table_name) == ("public", "face_vectors")
    assert stage.biometrics(erased) == 0


def test_an_update_is_refused(stage: Stage, erased: AccountIds) -> None:
    """A row of another transaction cannot be moved to one whose biometrics are gone."""
    other = stage.account(idle_days=1)
    refused(
        lambda: stage.conn.execute(
            "UPDATE face_vectors SET transaction_id = %s WHERE transaction_id = %s",
            (erased.transactions[0], other.transactions[0]),
        )
    )


def test_a_transaction_that_is_opened_again(stage: Stage, erased: AccountIds) -> None:
    """It stays without biometrics although its account is active again; images are welcome."""
    stage.clock.forward(days=1)
    stage.conn.execute(
        "UPDATE transactions SET status = 'PENDING' WHERE id = %s", (erased.transactions[0],)
    )
    complete_transaction(stage.conn, erased.transactions[0], stage.clock.now)
    refused(lambda: stage.conn.execute(VECTOR, (erased.transactions[0],)))
    add_image(stage.conn, erased.transactions[0], stage.clock.now)


def test_a_person_who_returns(stage: Stage, erased: AccountIds) -> None:
    """A new transaction takes its biometrics, and neither `verify` nor a sweep minds."""
    stage.clock.forward(minutes=1)
    new = add_transaction(stage.conn, erased.account, stage.clock.now)
    stage.conn.execute(VECTOR, (new,))
    add_face_template(stage.conn, new, stage.clock.now)
    stage.sweep(reconcile=True)
    assert stage.count("SELECT count(*) FROM face_vectors WHERE transaction_id = %s", new) == 1
    assert wrong(stage) == set()


@pytest.mark.parametrize(("microseconds", "allowed"), [(-1, False), (0, False), (1, True)])
def test_the_moment_of_the_erasure(
    stage: Stage, erased: AccountIds, microseconds: int, allowed: bool
) -> None:
    """A transaction that began when the account was erased, or before, was erased with it."""
    at = stage.clock.now + timedelta(microseconds=microseconds)
    transaction = add_transaction(stage.conn, erased.account, at)
    if allowed:
        stage.conn.execute(VECTOR, (transaction,))
    else:
        refused(lambda: stage.conn.execute(VECTOR, (transaction,)))


@pytest.mark.parametrize("scope", ["all", "biometrics"])
def test_a_tombstone_of_the_transaction(stage: Stage, scope: str) -> None:
    """One transaction that was erased alone is refused; the account's others are not."""
    account = stage.account(idle_days=1, transactions=2)
    _tombstone(stage, "transaction", str(account.transactions[0]), scope)
    refused(lambda: stage.conn.execute(VECTOR, (account.transactions[0],)))
    stage.conn.execute(VECTOR, (account.transactions[1],))


@pytest.mark.parametrize(
    "change",
    [{"complete": False}, {"days": -1}],
    ids=["a part", "before the transaction"],
)
def test_a_tombstone_that_says_nothing(stage: Stage, change: dict[str, Any]) -> None:
    """A part of a large account, one from before the transaction began."""
    account = stage.account(idle_days=0, transactions=1)
    _tombstone(stage, "account", str(account.account), "all", **{"days": 1} | change)
    stage.conn.execute(VECTOR, (account.transactions[0],))


def test_without_the_workers_schema(empty_database: Database) -> None:
    """The reference schema works before `migrate`, and when the worker was taken away again."""
    with empty_database.connect() as conn:
        conn.execute(reference_schema())
        account = _person(conn)
        conn.execute("CREATE SCHEMA retention")
        conn.execute(VECTOR, (account,))


def test_an_owner_who_may_not_read_stops_nobody(stage: Stage, erased: AccountIds) -> None:
    """The application goes on, with a warning that says what to do, until the right is granted."""
    stage.conn.execute(
        "CREATE ROLE blind; GRANT ALL ON ALL TABLES IN SCHEMA public TO blind;"
        "ALTER FUNCTION no_recreation_of_face_vectors OWNER TO blind"
    )
    try:
        said: list[str] = []
        stage.conn.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        stage.conn.execute(VECTOR, (erased.transactions[0],))
        assert "run retention-worker doctor" in said[0]
        stage.conn.execute(
            "GRANT USAGE ON SCHEMA retention TO blind; GRANT SELECT ON retention.erasure TO blind"
        )
        refused(lambda: stage.conn.execute(VECTOR, (erased.transactions[0],)))
    finally:
        stage.conn.execute("DROP OWNED BY blind CASCADE; DROP ROLE blind")


def test_an_application_without_rights_of_its_own(stage: Stage, erased: AccountIds) -> None:
    """Who may insert vectors and nothing else is refused too: the function runs as its owner."""
    stage.conn.execute("CREATE ROLE inserter; GRANT INSERT ON face_vectors TO inserter")
    try:
        stage.conn.execute("SET ROLE inserter")
        refused(lambda: stage.conn.execute(VECTOR, (erased.transactions[0],)))
    finally:
        stage.conn.execute("RESET ROLE; DROP OWNED BY inserter; DROP ROLE inserter")


def test_a_replica_and_a_load_are_refused_too(stage: Stage, erased: AccountIds) -> None:
    """The trigger fires always: replicated rows and loads with triggers off do not pass it."""
    stage.conn.execute("SET session_replication_role = replica")
    refused(lambda: stage.conn.execute(VECTOR, (erased.transactions[0],)))
    refused(lambda: _copy(stage.conn, erased.transactions[0]))


# An insertion that runs at the same time as the erasing batch -------------------------------------


def test_an_insertion_that_comes_after_the_lock(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the batch and is refused: nothing is left behind."""
    account = stage.account(idle_days=100)
    outcome: list[str | None] = []
    started = threading.Event()

    def insert() -> None:
        with stage.database.connect() as app:
            started.set()
            try:
                app.execute(VECTOR, (account.transactions[0],))
            except psycopg.DatabaseError as exc:
                outcome.append(exc.sqlstate)

    def begin() -> None:
        start(insert)
        assert started.wait(10)
        _until_somebody_waits(stage)

    with in_background() as start:
        point = right_after(monkeypatch, accounts, "lock", begin)
        stage.sweep()
    assert point.happened
    assert outcome == [SQLSTATE]
    assert stage.biometrics(account) == 0


@pytest.mark.parametrize("step", [(credentials, "erase"), (ledger, "write_batch")])
def test_an_insertion_between_erasing_and_committing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, step: tuple[Any, str]
) -> None:
    """Also where the rows are gone already, or the tombstone is written and not yet committed."""
    account = stage.account(idle_days=100)
    outcome: list[str | None] = []

    def insert() -> None:
        with stage.database.connect() as app:
            try:
                app.execute(VECTOR, (account.transactions[0],))
            except psycopg.DatabaseError as exc:
                outcome.append(exc.sqlstate)

    def begin() -> None:
        start(insert)
        _until_somebody_waits(stage)

    with in_background() as start:
        right_after(monkeypatch, *step, begin)
        stage.sweep()
    assert outcome == [SQLSTATE]
    assert stage.biometrics(account) == 0


def test_an_insertion_that_came_before_the_lock(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch passes the account over while it runs, and takes the new row along afterwards."""
    account = stage.account(idle_days=100)
    kept = stage.biometrics(account)
    with stage.database.connect() as app:
        with app.transaction():
            app.execute(VECTOR, (account.transactions[0],))
            stage.sweep()
            assert stage.biometrics(account) == kept
        assert stage.biometrics(account) == kept + 1
    stage.clock.forward(hours=1)
    stage.sweep()
    assert stage.biometrics(account) == 0
    assert wrong(stage) == set()


def test_a_snapshot_from_before_the_erasure(stage: Stage) -> None:
    """REPEATABLE READ does not see the tombstone: `verify` names it, and reconcile erases again."""
    account = stage.account(idle_days=100)
    with stage.database.connect() as app:
        app.isolation_level = IsolationLevel.REPEATABLE_READ
        with app.transaction():
            app.execute("SELECT count(*) FROM face_vectors")
            stage.sweep()
            assert stage.biometrics(account) == 0
            app.execute(VECTOR, (account.transactions[0],))
    assert stage.biometrics(account) == 1
    assert "back" in wrong(stage)
    stage.clock.forward(minutes=15)
    sweep(stage.worker, reconcile=True)
    assert stage.biometrics(account) == 0
    assert wrong(stage) == set()


def _copy(conn: psycopg.Connection, transaction: object) -> None:
    copy_in = "COPY face_vectors (transaction_id, model, embedding) FROM STDIN"
    with conn.cursor() as cursor, cursor.copy(copy_in) as copy:
        copy.write_row((transaction, "m", b"\x00"))


def _until_somebody_waits(stage: Stage) -> None:
    """Wait until a backend waits for a lock."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND datname = current_database()"
    )
    for _ in range(2000):
        if stage.count(query):
            return
        threading.Event().wait(0.001)
    raise AssertionError("nobody waits")


def _tombstone(
    stage: Stage,
    kind: str,
    subject: str,
    scope: str,
    *,
    complete: bool = True,
    tenant: str = "acme",
    days: float = 0,
) -> None:
    stage.conn.execute(
        "INSERT INTO retention.erasure (batch_id, tenant_id, kind, subject_id, scope, complete, "
        "erased_at) VALUES (0, %s, %s, %s, %s, %s, %s)",
        (tenant, kind, subject, scope, complete, stage.clock.now + timedelta(days=days)),
    )


def _person(conn: psycopg.Connection) -> Any:
    """A transaction of a new account, in a database without a stage."""
    row = conn.execute(
        "WITH t AS (INSERT INTO tenants (id, name) VALUES ('acme', 'A') RETURNING id), "
        "a AS (INSERT INTO accounts (tenant_id, external_ref) SELECT id, 'r' FROM t RETURNING *) "
        "INSERT INTO transactions (tenant_id, account_id, country, document_type) "
        "SELECT tenant_id, id, 'DE', 'PASSPORT' FROM a RETURNING id"
    ).fetchone()
    assert row is not None
    conn.execute(VECTOR, row)
    return row[0]


def test_a_tombstone_counts_after_a_move_to_another_tenant(stage: Stage) -> None:
    """Ids are unique by themselves, so what was erased stays erased whoever has the person now."""
    account = stage.account(idle_days=0, transactions=1)
    _tombstone(stage, "account", str(account.account), "all", tenant="another", days=1)
    with pytest.raises(psycopg.Error) as refused:
        stage.conn.execute(VECTOR, (account.transactions[0],))
    assert refused.value.sqlstate == "RW001"


def to_another(stage: Stage, erased: AccountIds) -> None:
    """Its transactions are another account's from now on."""
    other = stage.account(idle_days=1, transactions=0)
    stage.conn.execute(
        "UPDATE transactions SET account_id = %s WHERE account_id = %s",
        (other.account, erased.account),
    )


def to_another_tenant(stage: Stage, erased: AccountIds) -> None:
    """It is another tenant's, whole."""
    for table, column in (("accounts", "id"), ("transactions", "account_id")):
        stage.conn.execute(
            f"UPDATE {table} SET tenant_id = 'birch' WHERE {column} = %s".encode(),
            (erased.account,),
        )


@pytest.mark.parametrize("move", [to_another, to_another_tenant])
@pytest.mark.parametrize("large", [False, True])
def test_what_was_erased_stays_out_after_a_move(
    stage: Stage, move: Callable[[Stage, AccountIds], None], large: bool
) -> None:
    """Whoever's the transactions are: the triggers refuse, and what slips through is wrong."""
    stage.config.write_policy("birch", biometrics="90 days")
    stage.account(tenant="birch", idle_days=1)
    if large:
        stage.set(batch_max_transactions=1)
    account = stage.account(idle_days=100, transactions=2)
    stage.sweep()
    stage.sweep()
    assert stage.biometrics(account) == 0
    move(stage, account)
    for transaction in account.transactions:
        refused(lambda t=transaction: stage.conn.execute(VECTOR, (t,)))  # type: ignore[misc]
    stage.conn.execute("ALTER TABLE face_vectors DISABLE TRIGGER USER")
    stage.conn.execute(VECTOR, (account.transactions[0],))
    assert "back" in wrong(stage)


def test_a_backup_that_is_older_than_the_erasure(stage: Stage, erased: AccountIds) -> None:
    """What the restored ledger does not say was erased is not refused."""
    stage.conn.execute("TRUNCATE retention.batch, retention.erasure")
    stage.conn.execute(VECTOR, (erased.transactions[0],))


def test_a_part_that_was_erased_stays_out_though_the_person_returned(stage: Stage) -> None:
    """Of a large account whose person comes back between two parts."""
    stage.set(batch_max_transactions=1)
    account = stage.account(idle_days=100, transactions=2)

    def comes_back(*_: object) -> None:
        stage.conn.execute(
            "UPDATE accounts SET last_activity_at = %s WHERE id = %s",
            (stage.clock.now, account.account),
        )

    stage.sweep(progress=comes_back)
    gone = [
        transaction
        for transaction in account.transactions
        if not stage.count(
            "SELECT count(*) FROM face_vectors WHERE transaction_id = %s", transaction
        )
    ]
    assert len(gone) == 1
    refused(lambda: stage.conn.execute(VECTOR, (gone[0],)))
