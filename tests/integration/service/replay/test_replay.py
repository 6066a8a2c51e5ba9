"""ledger replay: a restore drill. What a backup brings back is erased again, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from psycopg.sql import SQL, Identifier

from retention_worker.domain.errors import GuardRefused, NeedsPerson
from retention_worker.domain.ledger.erasure import is_later
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds, pause
from retention_worker.service.ledger import export, verify
from retention_worker.service.replay.outcome import Authority, Replay
from retention_worker.service.replay.replay import replay
from tests.config_folder import ConfigFolder
from tests.database import Database, temporary_database
from tests.factories import (
    AccountIds,
    add_face_template,
    add_image,
    add_transaction,
    set_last_activity,
)
from tests.integration.service.ledger.books import fill, found, request
from tests.server import Server
from tests.snapshot import diff, snapshot
from tests.stage import NOW, UNGUARDED, Stage
from tests.worker import MovingClock, open_worker

DO_IT = Authority(actor="ops", reason="restored the backup of Sunday")


@contextmanager
def opened(database: Database, config: ConfigFolder, now: datetime = NOW) -> Iterator[Stage]:
    """A stage on a database; nothing is connected to it afterwards, so that it can be copied."""
    clock = MovingClock(now)
    with (
        database.connect() as conn,
        open_worker(database.worker_dsn, config, clock, **UNGUARDED) as worker,
    ):
        yield Stage(database, conn, config, clock, worker)


@dataclass
class Drill:
    """After the restore: the old state, and the export of what happened since the backup."""

    restored: Stage
    lost: Database
    book: Path
    accounts: list[AccountIds]

    def replay(self, authority: Authority | None = DO_IT) -> Replay:
        """Erase again; with None: a dry run."""
        return replay(self.restored.worker, self.book, authority=authority)

    def credentials(self) -> list[int]:
        """How many each account has."""
        stage = self.restored
        return [stage.biometrics(each) + stage.others(each) for each in self.accounts]


@pytest.fixture
def drill(
    server: Server, database: Database, config_dir: ConfigFolder, tmp_path: Path
) -> Iterator[Drill]:
    """Accounts due and not, a sweep, a backup; then more sweeps and requests, and the restore.

    0 to 4 (4 large) were due before the backup; 5 and 6 became due after it, 7 was erased by
    request, of 8 one transaction.
    """
    book = tmp_path / "ledger.jsonl"
    config_dir.write_policy("acme", all_credentials="360 days", biometrics="90 days")
    with opened(database, config_dir) as stage:
        stage.set(batch_max_accounts=2, batch_max_transactions=4)
        accounts = [stage.account(idle_days=400 + n) for n in range(4)]
        accounts.append(stage.account(idle_days=405, transactions=9))
        stage.sweep()
        accounts += [stage.account(idle_days=355), stage.account(idle_days=354, transactions=9)]
        accounts += [stage.account(idle_days=1), stage.account(idle_days=1, transactions=2)]
        export(stage.worker, book)
    with temporary_database(server, database.name) as backup:
        with opened(database, config_dir, NOW + timedelta(days=10)) as stage:
            stage.set(batch_max_accounts=2, batch_max_transactions=4)
            stage.sweep()
            request(stage, "account", str(accounts[7].account))
            request(stage, "transaction", str(accounts[8].transactions[0]), Scope.BIOMETRICS)
            export(stage.worker, book)
        with opened(backup, config_dir, NOW + timedelta(days=11)) as restored:
            yield Drill(restored, database, book, accounts)


def test_a_dry_run_changes_nothing(drill: Drill) -> None:
    """It says what would be erased, by tenant and scope."""
    before = snapshot(drill.restored.conn)

    result = drill.replay(None)

    assert diff(before, snapshot(drill.restored.conn)) == {}
    assert result.dry_run
    assert result.accounts == {("acme", Scope.BIOMETRICS): 3, ("acme", Scope.ALL): 3}
    assert result.kept == []
    assert (result.exit_code, result.known > 5, result.lost > 5) == (0, True, True)


def test_what_came_back_is_erased_again(drill: Drill) -> None:
    """The large account too, the requests too; the rest of the account of 8 stays."""
    stage = drill.restored
    assert all(number > 0 for number in drill.credentials()[5:])

    result = drill.replay()

    assert not result.dry_run
    assert result.accounts == {("acme", Scope.BIOMETRICS): 3, ("acme", Scope.ALL): 3}
    assert drill.credentials()[:8] == [0] * 8
    kept = drill.accounts[8]
    assert stage.others(kept) > 0
    assert stage.biometrics(kept) > 0
    asked = kept.transactions[0]
    assert stage.count("SELECT count(*) FROM face_vectors WHERE transaction_id = %s", asked) == 0
    assert found(stage) == ()
    assert stage.sweep().exit_code == 0
    assert found(stage) == ()


def test_a_second_replay_finds_nothing_left(drill: Drill) -> None:
    """It erases nothing and writes nothing."""
    first = drill.replay()
    before = snapshot(drill.restored.conn)

    second = drill.replay()

    assert (first.total, second.total, second.kept) == (6, 0, [])
    assert second.gone
    assert diff(before, snapshot(drill.restored.conn)) == {}


def test_the_ledger_says_who_why_and_under_which_rule(drill: Drill) -> None:
    """Source replay, the recorded cutoff and policy, and an approval that lets nothing else go."""
    drill.replay()
    conn = drill.restored.conn

    batches = conn.execute(
        "SELECT DISTINCT sweep_id, cutoff, policy_digest = (SELECT max(digest) FROM "
        "retention.policy) FROM retention.batch WHERE source = 'replay' AND scope = 'all'"
    ).fetchall()
    assert batches == [(None, NOW + timedelta(days=10 - 360), True)]
    said = conn.execute(
        "SELECT approved_by, reason, expires_at = approved_at, spent FROM retention.approval "
        "WHERE scope = 'all'"
    ).fetchall()
    assert said == [("ops", "replay of ledger.jsonl: restored the backup of Sunday", True, 2)]
    actors = conn.execute("SELECT actor, reason FROM retention.request").fetchall()
    assert set(actors) == {("ops", "replay of ledger.jsonl: restored the backup of Sunday")}


def test_who_is_more_active_than_then_is_kept_and_listed(drill: Drill) -> None:
    """An id may have been given anew: nothing of it goes, whatever the export says."""
    stage, due, asked = drill.restored, drill.accounts[5], drill.accounts[7]
    set_last_activity(stage.conn, due.account, NOW - timedelta(days=352))
    set_last_activity(stage.conn, asked.account, NOW + timedelta(days=10, microseconds=1))
    before = drill.credentials()

    result = drill.replay()

    after = drill.credentials()
    assert (after[5], after[7]) == (before[5], before[7])
    assert after[6] == 0
    assert {(each.subject, each.scope) for each in result.kept} == {
        (str(due.account), "biometrics"),
        (str(due.account), "all"),
        (str(asked.account), "all"),
    }
    assert all("active since" in each.reason for each in result.kept)
    assert result.exit_code == 1


@pytest.mark.parametrize(("microseconds", "goes"), [(0, True), (1, False), (-1, True)])
def test_to_the_microsecond(drill: Drill, microseconds: int, goes: bool) -> None:
    """As active as it was when it was erased, and no more."""
    due = drill.accounts[5]
    then = NOW - timedelta(days=355)
    set_last_activity(drill.restored.conn, due.account, then + timedelta(microseconds=microseconds))

    drill.replay()

    assert (drill.credentials()[5] == 0) == goes


def test_the_newest_of_several_erasures_decides(drill: Drill) -> None:
    """Erased, active again under the same id, erased again: an older erasure keeps nothing."""
    due = drill.accounts[5]
    stage = drill.restored
    set_last_activity(stage.conn, due.account, NOW - timedelta(days=352))
    with opened(drill.lost, stage.config, NOW + timedelta(days=20)) as later:
        came_back = add_transaction(later.conn, due.account, NOW + timedelta(days=11))
        add_face_template(later.conn, came_back, NOW - timedelta(days=352))
        add_image(later.conn, came_back, NOW - timedelta(days=352))
        set_last_activity(later.conn, due.account, NOW - timedelta(days=352))
        later.sweep(reconcile=True)
        export(later.worker, drill.book)

    result = drill.replay()

    assert drill.credentials()[5] == 0
    assert result.kept == []


def test_a_hold_wins(drill: Drill) -> None:
    """An account on hold is listed; so is what was asked for."""
    for account in (drill.accounts[5], drill.accounts[7]):
        holds.place(
            drill.restored.worker,
            str(account.account),
            tenant="acme",
            reason="a case",
            actor="tests",
            until=None,
        )
    before = drill.credentials()

    result = drill.replay()

    after = drill.credentials()
    assert (after[5], after[7]) == (before[5], before[7])
    assert {each.subject for each in result.kept} == {
        str(drill.accounts[5].account),
        str(drill.accounts[7].account),
    }
    assert all("hold" in each.reason for each in result.kept)


def test_an_account_that_is_another_tenants_now(drill: Drill) -> None:
    """It is not there under the tenant that the export names: nothing of it goes."""
    account = drill.accounts[7].account
    drill.restored.account(idle_days=1, tenant="birch")
    for table in ("accounts", "transactions"):
        key = "id" if table == "accounts" else "account_id"
        drill.restored.conn.execute(
            SQL("UPDATE {} SET tenant_id = 'birch' WHERE {} = %s").format(
                Identifier(table), Identifier(key)
            ),
            (account,),
        )
    before = drill.credentials()

    result = drill.replay()

    assert drill.credentials()[7] == before[7]
    assert (result.total, result.gone > 0) == (5, True)


def test_pause_stops_it(drill: Drill) -> None:
    """Who paused everything meant this as well."""
    pause.pause(drill.restored.worker, reason="wait", actor="tests", until=None)

    with pytest.raises(GuardRefused, match="paused"):
        drill.replay()

    assert all(number > 0 for number in drill.credentials()[5:])


def test_a_changed_export_is_refused_before_anything_goes(drill: Drill) -> None:
    """Even where only its last line was changed."""
    text = drill.book.read_text("utf-8")
    at = text.rindex('"subject":"') + len('"subject":"')
    drill.book.write_text(text[:at] + "x" + text[at + 1 :], "utf-8")

    with pytest.raises(NeedsPerson, match="not as it was written"):
        drill.replay()

    assert all(number > 0 for number in drill.credentials()[5:])


def test_the_old_export_is_not_gone_on_with(drill: Drill) -> None:
    """It has what this ledger lost: a new file begins, and verify says what is missing."""
    drill.replay()
    stage = drill.restored

    with pytest.raises(NeedsPerson, match="after a restore, ledger replay it"):
        export(stage.worker, drill.book)
    assert verify(stage.worker, against=drill.book).findings
    fresh = drill.book.with_name("fresh.jsonl")
    export(stage.worker, fresh)
    assert found(stage, fresh) == ()


def test_nothing_was_lost(stage: Stage, tmp_path: Path) -> None:
    """On the database that wrote the export everything is known."""
    book = tmp_path / "ledger.jsonl"
    fill(stage)
    export(stage.worker, book)

    result = replay(stage.worker, book, authority=DO_IT)

    assert (result.total, result.lost, result.kept, result.gone) == (0, 0, [], 0)


@pytest.mark.parametrize(
    ("now", "then", "later"),
    [
        ("2026-01-01 00:00:00+00", "2026-01-01T00:00:00", False),
        ("2026-01-01 00:00:00.000001+00", "2026-01-01T00:00:00", True),
        ("2025-12-31 23:59:59.999999+00", "2026-01-01T00:00:00", False),
        ("2026-01-01 00:00:00.1+00", "2026-01-01T00:00:00.09", True),
        ("0044-03-15 00:00:00+00 BC", "0044-03-15T00:00:00 BC", False),
        ("0044-03-15 00:00:00+00 BC", "2026-01-01T00:00:00", True),
        ("10000-01-01 00:00:00+00", "2026-01-01T00:00:00", True),
        ("infinity", "2026-01-01T00:00:00", True),
        (None, "2026-01-01T00:00:00", True),
        ("2026-01-01 00:00:00+00", None, True),
    ],
)
def test_when_an_activity_counts_as_later(now: str | None, then: str | None, later: bool) -> None:
    """In doubt it does: then it is kept and listed."""
    assert is_later(now, then) is later


def test_an_account_that_was_erased_in_part_is_listed(stage: Stage, tmp_path: Path) -> None:
    """Its person came back between two parts: the ledger has no row that says it is complete."""
    stage.set(batch_max_transactions=1)
    account = stage.account(idle_days=100, transactions=2)
    old = stage.conn.execute(
        "SELECT last_activity_at FROM accounts WHERE id = %s", [account.account]
    ).fetchone()
    assert old is not None

    def is_back(*_: object) -> None:
        stage.conn.execute(
            "UPDATE accounts SET last_activity_at = %s WHERE id = %s",
            [stage.clock.now, account.account],
        )

    stage.sweep(progress=is_back)
    to = tmp_path / "ledger.jsonl"
    export(stage.worker, to)
    stage.conn.execute(
        "TRUNCATE retention.batch, retention.erasure, retention.lane, retention.deferred"
    )
    stage.conn.execute(
        "UPDATE accounts SET last_activity_at = %s WHERE id = %s", [old[0], account.account]
    )
    left = stage.biometrics(account)
    assert left > 0
    found = replay(stage.worker, to, authority=Authority(actor="kim", reason="restore"))
    assert (found.total, [each.subject for each in found.kept]) == (0, [str(account.account)])
    assert stage.biometrics(account) == left
