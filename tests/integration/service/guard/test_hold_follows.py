"""A hold follows the person: nothing that it has seen goes, wherever it is by now."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from retention_worker.domain.errors import GuardRefused, RetentionWorkerError
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds
from retention_worker.service.ledger import export
from retention_worker.service.replay.outcome import Authority
from retention_worker.service.replay.replay import replay
from retention_worker.service.request.erase import RequestedErasure, erase
from retention_worker.service.verify import verify
from tests.factories import AccountIds
from tests.stage import Stage

Move = Callable[[Stage, AccountIds], None]


@pytest.fixture
def held(stage: Stage) -> AccountIds:
    """A long inactive account of acme on hold; birch has a policy, too, and an account."""
    stage.config.write_policy("birch", all_credentials="360 days", biometrics="90 days")
    stage.account(tenant="birch", idle_days=1)
    keys_follow(stage)
    account = stage.account(idle_days=500, transactions=2, authentications=1)
    place(stage, account)
    return account


def keys_follow(stage: Stage) -> None:
    """An account's id may change: the keys onto it change with it."""
    for table in ("transactions", "authentications", "authentication_vectors"):
        stage.conn.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT {table}_account_id_fkey; "
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_account_id_fkey "
            "FOREIGN KEY (account_id) REFERENCES accounts ON UPDATE CASCADE".encode()
        )


def place(stage: Stage, account: AccountIds) -> None:
    """A hold without an end."""
    holds.place(
        stage.worker,
        str(account.account),
        tenant=account.tenant,
        reason="court",
        actor="kim",
        until=None,
    )


def quietly(stage: Stage, statement: str, *values: object) -> None:
    """The application's statement, without the triggers that would make the account active."""
    with stage.conn.transaction():
        stage.conn.execute("ALTER TABLE transactions DISABLE TRIGGER USER")
        stage.conn.execute(statement.encode(), values)
        stage.conn.execute("ALTER TABLE transactions ENABLE TRIGGER USER")


def nothing(stage: Stage, account: AccountIds) -> None:
    """The account is where it was."""


def other_tenant(stage: Stage, account: AccountIds) -> None:
    """The account alone says another tenant."""
    quietly(stage, "UPDATE accounts SET tenant_id = 'birch' WHERE id = %s", account.account)


def other_tenant_whole(stage: Stage, account: AccountIds) -> None:
    """The account and its transactions say another tenant."""
    other_tenant(stage, account)
    quietly(
        stage, "UPDATE transactions SET tenant_id = 'birch' WHERE account_id = %s", account.account
    )


def other_id(stage: Stage, account: AccountIds) -> None:
    """The account gets another id, and the keys onto it follow."""
    quietly(stage, "UPDATE accounts SET id = %s WHERE id = %s", uuid4(), account.account)


def merged(stage: Stage, account: AccountIds, tenant: str = "acme") -> UUID:
    """Its transactions are an inactive account's from now on."""
    other = stage.account(tenant=tenant, idle_days=500, transactions=1)
    for table in ("transactions", "authentication_vectors", "authentications"):
        quietly(
            stage,
            f"UPDATE {table} SET account_id = %s WHERE account_id = %s",
            other.account,
            account.account,
        )
    return other.account


def merged_and_gone(stage: Stage, account: AccountIds) -> None:
    """The same, and the account's own row is deleted."""
    merged(stage, account)
    quietly(stage, "DELETE FROM accounts WHERE id = %s", account.account)


def merged_into_another_tenant(stage: Stage, account: AccountIds) -> None:
    """The same, into an account of another tenant."""
    merged(stage, account, "birch")


MOVES: dict[str, Move] = {
    "in place": nothing,
    "another tenant": other_tenant,
    "another tenant with its transactions": other_tenant_whole,
    "another id": other_id,
    "merged": lambda stage, account: (merged(stage, account), None)[1],
    "merged and gone": merged_and_gone,
    "merged into another tenant": merged_into_another_tenant,
}


def whole(stage: Stage, account: AccountIds) -> bool:
    """Whether everything of its transactions is there."""
    transactions = list(account.transactions)
    return stage.count(
        "SELECT (SELECT count(*) FROM face_vectors WHERE transaction_id = ANY (%s)) "
        "+ (SELECT count(*) FROM images WHERE transaction_id = ANY (%s) AND kind <> 'AUDIT')",
        transactions,
        transactions,
    ) == 2 * len(transactions) + 3 * len(transactions)


def owners(stage: Stage, account: AccountIds) -> list[tuple[str, str]]:
    """Tenant and id of whoever has its transactions now."""
    rows = stage.conn.execute(
        "SELECT DISTINCT a.tenant_id, a.id::text FROM accounts a JOIN transactions t "
        "ON t.account_id = a.id WHERE t.id = ANY (%s)",
        (list(account.transactions),),
    ).fetchall()
    return [(tenant, name) for tenant, name in rows]


def wanted(tenant: str, kind: str, subject: str) -> RequestedErasure:
    """A person's request."""
    return RequestedErasure(
        kind=kind,
        subject=subject,
        tenant=tenant,
        scope=Scope.ALL,
        source="cli",
        actor="test",
        reason="Art. 17",
    )


def sweeps(stage: Stage, account: AccountIds) -> None:
    """Two sweeps that look at everything."""
    for _ in range(2):
        stage.sweep(reconcile=True)
        stage.clock.forward(hours=7)


def asks_for_the_account(stage: Stage, account: AccountIds) -> None:
    """Whoever has the transactions is asked to be erased."""
    for tenant, name in owners(stage, account):
        with pytest.raises(GuardRefused):
            erase(stage.worker, wanted(tenant, "account", name))


def asks_for_the_transaction(stage: Stage, account: AccountIds) -> None:
    """Each of the transactions is asked to be erased."""
    for tenant, _ in owners(stage, account):
        for transaction in account.transactions:
            with pytest.raises(GuardRefused):
                erase(stage.worker, wanted(tenant, "transaction", str(transaction)))


WAYS = {
    "sweep": sweeps,
    "request of an account": asks_for_the_account,
    "request of a transaction": asks_for_the_transaction,
}


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("move", list(MOVES))
def test_nothing_held_goes(stage: Stage, held: AccountIds, move: str, way: str) -> None:
    """Whatever became of the account, and however it is asked for."""
    assert whole(stage, held)
    MOVES[move](stage, held)
    WAYS[way](stage, held)
    assert whole(stage, held), move


@pytest.mark.parametrize("move", [move for move in MOVES if move != "in place"])
def test_a_hold_that_lost_its_account_is_reported(
    stage: Stage, held: AccountIds, move: str
) -> None:
    """By the sweep, the list and verify, until it is moved or released."""
    assert stage.sweep().exit_code == 0
    assert not holds.listed(stage.worker, None)[0].astray
    MOVES[move](stage, held)
    (listed,) = holds.listed(stage.worker, None)
    assert listed.astray
    assert [place for place in listed.elsewhere if place in owners(stage, held)]
    assert stage.sweep().exit_code == 1
    assert [each for each in verify(stage.worker).wrong if each.check == "hold-astray"]
    tenant, name = owners(stage, held)[0]
    holds.move(
        stage.worker,
        str(held.account),
        to=name,
        tenant="acme",
        to_tenant=tenant,
        reason="the same person",
        actor="kim",
    )
    assert not holds.listed(stage.worker, None)[0].astray
    assert stage.sweep().exit_code == 0
    assert not [each for each in verify(stage.worker).wrong if each.check == "hold-astray"]
    assert whole(stage, held)
    holds.release(stage.worker, name, tenant=tenant, reason="over", actor="kim")
    stage.clock.forward(hours=7)
    stage.sweep(reconcile=True)
    assert not whole(stage, held)


def test_what_comes_under_a_hold_stays_under_it(stage: Stage, held: AccountIds) -> None:
    """A transaction that began after the hold was placed: a sweep has seen it; then a merge."""
    row = stage.conn.execute(
        "INSERT INTO transactions (tenant_id, account_id, created_at, country, document_type) "
        "VALUES ('acme', %s, %s, 'DE', 'PASSPORT') RETURNING id",
        (held.account, stage.clock.now),
    ).fetchone()
    assert row is not None
    stage.sweep()
    other = stage.account(idle_days=500, transactions=1)
    quietly(stage, "UPDATE transactions SET account_id = %s WHERE id = %s", other.account, row[0])
    stage.conn.execute(
        "UPDATE accounts SET last_activity_at = %s WHERE id = %s",
        (stage.clock.now.replace(year=2024), other.account),
    )
    stage.sweep(reconcile=True)
    assert stage.others(other) > 0


def test_a_restore_of_the_mapped_tables_brings_nothing_held_in_reach(
    stage: Stage, held: AccountIds
) -> None:
    """After the hold was moved, an older dump brings the account back under its old id."""
    rows = stage.conn.execute(
        "SELECT id, account_id FROM transactions WHERE account_id = %s", (held.account,)
    ).fetchall()
    other = merged(stage, held)
    holds.move(
        stage.worker,
        str(held.account),
        to=str(other),
        tenant="acme",
        to_tenant=None,
        reason="merged",
        actor="kim",
    )
    for transaction, account in rows:
        quietly(
            stage, "UPDATE transactions SET account_id = %s WHERE id = %s", account, transaction
        )
    sweeps(stage, held)
    asks_for_the_account(stage, held)
    assert whole(stage, held)


@pytest.mark.parametrize("move", list(MOVES))
def test_a_replay_erases_nothing_held(stage: Stage, tmp_path: Path, move: str) -> None:
    """The ledger says that it was erased; after the restore it was put on hold, and moved."""
    stage.config.write_policy("birch", all_credentials="360 days", biometrics="90 days")
    stage.account(tenant="birch", idle_days=1)
    kept = ("images", "face_vectors", "face_templates", "extracted_data")
    keys_follow(stage)
    account = stage.account(idle_days=500, transactions=2)
    for table in kept:
        stage.conn.execute(f"CREATE TABLE dump_{table} AS SELECT * FROM {table}".encode())
    stage.sweep()
    to = tmp_path / "ledger.jsonl"
    export(stage.worker, to)
    # The worker's own tables are restored to before the sweep, as all the others are.
    stage.conn.execute(
        "TRUNCATE retention.batch, retention.erasure, retention.object_deletion; "
        "UPDATE retention.lane SET head_hash = NULL, head_batch = NULL, watermark_activity = NULL, "
        "watermark_id = NULL"
    )
    with stage.conn.transaction():
        stage.conn.execute("SET LOCAL session_replication_role = replica")
        for table in kept:
            stage.conn.execute(
                f"INSERT INTO {table} SELECT * FROM dump_{table} ON CONFLICT DO NOTHING".encode()
            )
    assert whole(stage, account)
    place(stage, account)
    MOVES[move](stage, account)
    with suppress(RetentionWorkerError):
        replay(stage.worker, to, authority=Authority(actor="kim", reason="restore"))
    assert whole(stage, account)


def test_ids_that_tenants_share_are_two_people(stage: Stage) -> None:
    """Where an id is unique within its tenant alone, a hold is of the one tenant's account."""
    held = stage.account(idle_days=500)
    place(stage, held)
    other = stage.account(idle_days=500)
    stage.sweep()
    assert stage.others(held) > 0
    assert stage.others(other) == 0


def rows_moved(stage: Stage, table: str, column: str, old: object, new: object) -> list[object]:
    """Credentials alone are another's from now on; their keys."""
    rows = stage.conn.execute(
        f"UPDATE {table} SET {column} = %s WHERE {column} = %s RETURNING id".encode(), (new, old)
    ).fetchall()
    return [row[0] for row in rows]


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("table", ["face_vectors", "images", "authentication_vectors"])
def test_a_single_credential_stays_held(stage: Stage, table: str, way: str) -> None:
    """Its row was given to another account, or to a transaction of another."""
    held = stage.account(idle_days=500, transactions=1, authentications=1)
    place(stage, held)
    other = stage.account(idle_days=500, transactions=1)
    of_account = table == "authentication_vectors"
    keys = rows_moved(
        stage,
        table,
        "account_id" if of_account else "transaction_id",
        held.account if of_account else held.transactions[0],
        other.account if of_account else other.transactions[0],
    )
    assert keys
    assert holds.listed(stage.worker, None)[0].astray
    WAYS[way](stage, other)
    left = stage.count(f"SELECT count(*) FROM {table} WHERE id = ANY (%s)", keys)
    assert left == len(keys)
    if way == "sweep":
        assert stage.sweep().exit_code == 1
        assert [each for each in verify(stage.worker).wrong if each.check == "hold-astray"]


@pytest.mark.parametrize("key", ["UNIQUE (id)", "PRIMARY KEY (transaction_id, id)"])
def test_a_row_without_a_primary_key_of_its_own(stage: Stage, key: str) -> None:
    """Another unique key tells it; the parent's is none, because it changes with the move."""
    stage.conn.execute(
        "ALTER TABLE face_vectors DROP CONSTRAINT face_vectors_pkey; "
        f"ALTER TABLE face_vectors ADD {key}; "
        "ALTER TABLE face_vectors ALTER id SET NOT NULL".encode()
    )
    if "PRIMARY" in key:
        stage.conn.execute("CREATE UNIQUE INDEX ON face_vectors (id)")
    held = stage.account(idle_days=500, transactions=1)
    place(stage, held)
    other = stage.account(idle_days=500, transactions=1)
    keys = rows_moved(
        stage, "face_vectors", "transaction_id", held.transactions[0], other.transactions[0]
    )
    sweeps(stage, other)
    left = stage.count("SELECT count(*) FROM face_vectors WHERE id = ANY (%s)", keys)
    assert left == len(keys) > 0
