"""The sweep is broken on purpose, one way at a time, and `verify` notices each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from psycopg.sql import SQL

from retention_worker.domain.lane.lane import Position
from retention_worker.domain.policy.period import Period
from retention_worker.domain.scope import Scope
from retention_worker.service.due import lanes_with_work
from retention_worker.service.due.eligibility import block
from retention_worker.service.guard import holds
from retention_worker.service.sweep import begin, erasing, sweep, triage
from retention_worker.store.mapped import accounts, credentials
from retention_worker.store.mapsql import CompiledMap, paths
from retention_worker.store.mapsql import accounts as account_sql
from retention_worker.store.own import lanes
from tests.factories import add_face_template
from tests.integration.service.verify.proof import only, proof, wrong
from tests.stage import Stage


@pytest.fixture
def population(stage: Stage) -> Stage:
    """Accounts of every age."""
    for idle in (1, 20, 89, 91, 120, 359, 361, 400, 500):
        stage.account(idle_days=idle)
    return stage


def test_nothing_is_broken(population: Stage) -> None:
    """The faults below are the only thing that `verify` minds."""
    population.sweep()
    assert wrong(population) == []


def test_a_cutoff_that_is_too_late(population: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts go a day early: their erasure rows show it."""
    _cutoff_moved(monkeypatch, timedelta(days=2))
    population.sweep()
    found = proof(population)
    assert wrong(population) == ["early"]
    assert {each.scope for each in found.wrong} == set(Scope)
    account = only_early(found, Scope.ALL).examples[0]
    row = population.conn.execute(
        "SELECT last_activity_at FROM accounts WHERE id::text = %s", (account,)
    ).fetchone()
    assert row == (population.clock.now - timedelta(days=359),)


def test_a_cutoff_that_is_ignored(population: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody is erased, the one who was here yesterday too."""
    _cutoff_moved(monkeypatch, timedelta(days=1000))
    population.sweep()
    assert wrong(population) == ["early"]


def test_an_activity_that_moves_before_the_lock(
    population: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock no longer looks again: who came back meanwhile is erased."""
    lock: Any = accounts.lock
    page = accounts.page

    def come_back(*args: Any, **options: Any) -> Any:
        found = page(*args, **options)
        population.conn.execute("UPDATE accounts SET last_activity_at = %s", (NOW,))
        return found

    NOW = population.clock.now
    monkeypatch.setattr(accounts, "page", come_back)

    def lock_anyway(*args: Any) -> Any:
        return lock(*args[:4], "infinity")

    monkeypatch.setattr(accounts, "lock", lock_anyway)
    population.sweep()
    assert wrong(population) == ["early"]


def test_a_cutoff_that_is_too_early(population: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts stay for days after they were due."""
    _cutoff_moved(monkeypatch, timedelta(days=-50))
    population.sweep()
    assert wrong(population) == ["overdue"]


@pytest.mark.parametrize("name", ["face vectors", "extracted fields", "authentication vectors"])
def test_an_entry_that_is_skipped(
    population: Stage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Its rows stay behind in accounts that count as erased."""
    steps_of = CompiledMap.steps_of

    def without(self: CompiledMap, scope: Scope) -> Any:
        steps = steps_of(self, scope)
        return tuple(step for step in steps if step.entries[0].entry.name != name)

    monkeypatch.setattr(CompiledMap, "steps_of", without)
    monkeypatch.setattr(erasing.LaneErasing, "_check", lambda *_: None)
    population.sweep()
    found = proof(population)
    assert wrong(population) == ["back", "overdue"]
    assert name in only(found, "back").message


def test_a_statement_that_erases_nothing(
    population: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erasure rows are written, and nothing is gone."""
    nothing = credentials.Erasing([])
    monkeypatch.setattr(credentials, "erase", lambda *_, **__: nothing)
    monkeypatch.setattr(erasing.LaneErasing, "_check", lambda *_: None)
    monkeypatch.setattr(erasing.LaneErasing, "_check_evidence", lambda *_: None)
    population.sweep()
    assert wrong(population) == ["back", "overdue"]


def test_a_batch_without_evidence_is_not_committed(
    population: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing went of what the look had seen, whatever else is proved: no erasure row."""
    monkeypatch.setattr(credentials, "erase", lambda *_, **__: credentials.Erasing([]))
    monkeypatch.setattr(erasing.LaneErasing, "_check", lambda *_: None)
    report = population.sweep()
    assert report.exit_code == 1
    assert population.count("SELECT count(*) FROM retention.erasure") == 0


def test_a_watermark_that_runs_ahead(population: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts that were never looked at lie behind it; reconcile would find them in time."""
    advance = lanes.advance

    def jump(session: Any, lane: Any, position: Position) -> None:
        far = (population.clock.now + timedelta(days=1)).isoformat()
        advance(session, lane, replace(position, activity=far))

    monkeypatch.setattr(lanes, "advance", jump)
    population.set(batch_max_accounts=1)
    population.sweep()
    assert wrong(population) == ["overdue"]
    monkeypatch.undo()
    population.sweep(reconcile=True)
    assert wrong(population) == []


def test_a_page_that_loses_accounts(population: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page drops one account in two, and the watermark passes over them."""
    page = accounts.page
    monkeypatch.setattr(accounts, "page", lambda *args, **options: page(*args, **options)[1::2])
    population.sweep()
    assert "overdue" in wrong(population)


def test_lanes_that_are_not_found(population: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that is not found is not done."""
    monkeypatch.setattr(begin, "find_work", lambda *_, **__: {})
    population.sweep()
    assert wrong(population) == ["overdue"]


def test_a_tenant_that_is_not_asked(population: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tenant's condition is lost: another tenant's accounts are erased with this one's."""
    for days in (5, 50, 500):
        population.account(idle_days=days, tenant="birch")
    population.config.write_policy("birch", all_credentials="900 days")
    for module in (paths, account_sql):
        monkeypatch.setattr(module, "tenant_condition", lambda *_: SQL("TRUE"))
    population.sweep()
    found = proof(population)
    assert "stranger" in wrong(population)
    assert only(found, "stranger").tenant == "acme"


def test_a_hold_that_is_not_looked_at(population: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account on hold is erased."""
    account = population.account(idle_days=600)
    holds.place(
        population.worker, str(account.account), tenant="acme", reason="r", actor="a", until=None
    )
    population.clock.forward(hours=1)
    monkeypatch.setattr(triage, "block", lambda key, found: block(key, replace(found, hold=None)))
    population.sweep()
    assert wrong(population) == ["hold"]


def test_every_account_is_deferred(population: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deferred for a lock that nobody has: not among the reasons that keep an account back."""
    lock: Any = accounts.lock
    monkeypatch.setattr(accounts, "lock", lambda *args: lock(*args[:3], [], args[4]))
    population.sweep()
    assert population.count("SELECT count(*) FROM retention.deferred") > 0
    assert wrong(population) == ["overdue"]


def test_a_newer_credential_that_is_overlooked(
    population: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A credential that was newer than the activity is gone, and no proof of it is left.

    What remains of the account is not due before its time: `verify` cannot see the rest.
    """
    account = population.account(idle_days=100)
    add_face_template(population.conn, account.transactions[0], population.clock.now)
    monkeypatch.setattr(triage, "block", lambda *_: None)
    # What the erasing statements say of it would take the batch back.
    monkeypatch.setattr(erasing.LaneErasing, "_refuse_newer", lambda *_: None)
    population.sweep()
    assert population.biometrics(account) == 0
    assert "overdue" not in wrong(population)


def test_a_policy_that_nobody_applied(population: Stage) -> None:
    """Erasures under a digest that is not in the log, or under a policy that says never."""
    population.sweep()
    population.conn.execute("UPDATE retention.policy SET digest = 'other'")
    assert "early" in wrong(population)
    population.conn.execute(
        "UPDATE retention.policy SET digest = (SELECT digest FROM "
        "(SELECT policy_digest AS digest FROM retention.batch LIMIT 1) AS b), "
        'effective = \'{"all_credentials": null, "biometrics": null}\''
    )
    assert "early" in wrong(population)


def test_a_batch_that_is_missing(population: Stage) -> None:
    """Erasure rows whose batch was taken out of the ledger."""
    population.sweep()
    population.conn.execute("DELETE FROM retention.batch")
    assert {"chain", "early"} <= set(wrong(population))


def test_a_ledger_that_was_edited(population: Stage) -> None:
    """The chain's own verification is part of the proof."""
    population.sweep()
    population.conn.execute("UPDATE retention.batch SET accounts = accounts + 1")
    assert wrong(population) == ["chain"]


def only_early(found: Any, scope: Scope) -> Any:
    """The one observation of a scope."""
    (each,) = [each for each in found.wrong if each.scope is scope]
    return each


def _cutoff_moved(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Move every cutoff of the sweep, where it is computed and where it is used."""

    def moved(file: Any, scope: Scope, now: Any, bounds: Any) -> Any:
        period: Period | None = file.policy.period(scope)
        cutoff = period.cutoff(now) if period else None
        return cutoff + by if cutoff else None

    monkeypatch.setattr(lanes_with_work, "cutoff_of", moved)
    monkeypatch.setattr(sweep, "cutoff_of", moved)
