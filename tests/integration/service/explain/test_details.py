"""A transaction as it may be shown, before and after its credentials are erased."""

import pytest

from retention_worker.domain.errors import ConfigurationError, UnknownSubject
from retention_worker.domain.scope import Scope
from retention_worker.service.explain.details import describe
from retention_worker.service.request.erase import RequestedErasure, erase
from tests.factories import add_face_template
from tests.stage import Stage


def wanted(subject: object, scope: Scope, kind: str = "transaction") -> RequestedErasure:
    """An erasure that a person asks for."""
    return RequestedErasure(
        kind=kind,
        subject=str(subject),
        tenant="acme",
        scope=scope,
        source="portal",
        actor="sam",
        reason="asked for",
    )


def test_what_is_kept_and_what_is_there(stage: Stage) -> None:
    """Metadata and decision are the columns of the map, in its order; entries are counted."""
    mine = stage.account(idle_days=5, transactions=2)
    found = describe(stage.worker, str(mine.transactions[0]), tenant="acme")
    assert (found.id, found.account) == (str(mine.transactions[0]), str(mine.account))
    assert list(found.metadata) == ["created_at", "completed_at", "country", "document_type"]
    assert found.decision in ({"decision": "ACCEPTED"}, {"decision": "REJECTED"})
    assert found.in_progress is False
    rows = {each.name: (each.rows, each.objects) for each in found.entries}
    assert rows["selfies and ID images"][0] == rows["selfies and ID images"][1] > 0
    assert "authentication vectors" not in rows  # no transaction owns them
    assert (found.erasures, found.objects_pending, found.erased_at(Scope.ALL)) == ((), 0, None)


def test_biometrics_then_all(stage: Stage) -> None:
    """Each scope has its own time; objects are pending until they are gone."""
    mine = stage.account(idle_days=5, transactions=2)
    other, one = map(str, mine.transactions)
    before = describe(stage.worker, one, tenant="acme")
    stage.clock.forward(hours=1)
    erase(stage.worker, wanted(one, Scope.BIOMETRICS))
    first = describe(stage.worker, one, tenant="acme")
    assert (first.rows(Scope.BIOMETRICS), first.erased_at(Scope.ALL)) == (0, None)
    assert first.complete_at(Scope.BIOMETRICS) == stage.clock.now
    assert first.rows(Scope.ALL) > 0
    gone_at = stage.clock.now
    stage.clock.forward(hours=1)
    erase(stage.worker, wanted(one, Scope.ALL))
    second = describe(stage.worker, one, tenant="acme")
    assert second.erased_at(Scope.ALL) == stage.clock.now
    assert second.erased_at(Scope.BIOMETRICS) == gone_at
    assert second.objects_pending == sum(each.objects for each in first.entries) > 0
    assert second.complete_at(Scope.ALL) is None
    assert (second.metadata, second.decision) == (before.metadata, before.decision)
    assert describe(stage.worker, other, tenant="acme").erasures == ()


def test_an_erasure_of_the_account_counts_for_older_transactions_alone(stage: Stage) -> None:
    """A transaction that began after its account was erased was never erased."""
    mine = stage.account(idle_days=5, transactions=1)
    erase(stage.worker, wanted(mine.account, Scope.ALL, kind="account"))
    stage.clock.forward(hours=1)
    later = stage.conn.execute(
        "INSERT INTO transactions (tenant_id, account_id, created_at, country, document_type)"
        " VALUES ('acme', %s, %s, 'DE', 'PASSPORT') RETURNING id",
        (mine.account, stage.clock.now),
    ).fetchone()
    assert later is not None
    old = describe(stage.worker, str(mine.transactions[0]), tenant="acme")
    new = describe(stage.worker, str(later[0]), tenant="acme")
    assert (len(old.erasures), new.erasures, new.in_progress) == (1, (), True)


def test_credentials_that_came_back_are_said(stage: Stage) -> None:
    """What is there again is counted, and nothing claims that all is gone."""
    mine = stage.account(idle_days=5, transactions=1)
    one = mine.transactions[0]
    erase(stage.worker, wanted(one, Scope.BIOMETRICS))
    stage.conn.execute("ALTER TABLE face_templates DISABLE TRIGGER ALL")
    add_face_template(stage.conn, one, stage.clock.now)
    found = describe(stage.worker, str(one), tenant="acme")
    assert (found.rows(Scope.BIOMETRICS), found.complete_at(Scope.BIOMETRICS)) == (1, None)
    assert found.erased_at(Scope.BIOMETRICS) is not None


def test_nobody_elses(stage: Stage) -> None:
    """Unknown, another tenant's, another account's and no id at all: all are unknown."""
    mine, theirs = stage.account(idle_days=5), stage.account(idle_days=5, tenant="birch")
    one = str(mine.transactions[0])
    other = stage.account(idle_days=5)
    for transaction, tenant, account in (
        (str(mine.account), "acme", None),
        (one, "birch", None),
        (str(theirs.transactions[0]), "acme", None),
        (one, "acme", str(other.account)),
        (one, "acme", "no id"),
        ("no id", "acme", None),
    ):
        with pytest.raises(UnknownSubject):
            describe(stage.worker, transaction, tenant=tenant, account=account)
    with pytest.raises(ConfigurationError):
        describe(stage.worker, one, tenant=None)
    upper = describe(stage.worker, one.upper(), tenant="acme", account=str(mine.account).upper())
    assert upper.id == one
