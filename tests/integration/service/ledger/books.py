"""A ledger with something in every chain, and how a test changes it behind the worker's back."""

from datetime import timedelta
from pathlib import Path

from psycopg.sql import SQL, Identifier

from retention_worker.domain.ledger.finding import LedgerFinding
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import pause
from retention_worker.service.ledger import Verified, verify
from retention_worker.service.request.erase import RequestedErasure, erase
from tests.factories import AccountIds
from tests.stage import Stage


def fill(stage: Stage) -> list[AccountIds]:
    """Two lanes with several batches each, a large account in parts, and ad-hoc erasures."""
    stage.set(batch_max_accounts=2, batch_max_transactions=4)
    accounts = [stage.account(idle_days=400 + n) for n in range(4)]
    accounts.append(stage.account(idle_days=405, transactions=9))
    stage.sweep()
    fresh = stage.account(idle_days=1)
    request(stage, "account", str(fresh.account))
    other = stage.account(idle_days=1, transactions=2)
    request(stage, "transaction", str(other.transactions[0]), Scope.BIOMETRICS)
    return [*accounts, fresh, other]


def request(stage: Stage, kind: str, subject: str, scope: Scope = Scope.ALL) -> None:
    """An ad-hoc erasure."""
    wanted = RequestedErasure(
        kind=kind,
        subject=subject,
        tenant="acme",
        scope=scope,
        source="cli",
        actor="tests",
        reason="asked for",
    )
    erase(stage.worker, wanted)


def found(stage: Stage, against: Path | None = None) -> tuple[LedgerFinding, ...]:
    """What verify finds."""
    return checked(stage, against).findings


def checked(stage: Stage, against: Path | None = None) -> Verified:
    """What verify says."""
    return verify(stage.worker, against=against)


def ids(stage: Stage, table: str) -> list[int]:
    """The ids of a table of the ledger, in order."""
    statement = SQL("SELECT id FROM retention.{} ORDER BY id").format(Identifier(table))
    rows = stage.conn.execute(statement).fetchall()
    return [number for (number,) in rows]


def pauses_until_an_hour_ago(stage: Stage) -> None:
    """Everything was paused twenty days ago, for ten, and two hours later again, to a given end."""
    now = stage.clock.now
    stage.clock.forward(days=-20)
    pause.pause(stage.worker, reason="storage", actor="ann", until=None)
    stage.clock.forward(days=10)
    pause.resume(stage.worker)
    stage.clock.forward(hours=2)
    pause.pause(stage.worker, reason="more", actor="ann", until=now - timedelta(hours=1))
    stage.clock.forward(days=10, hours=-2)
    assert stage.clock.now == now
