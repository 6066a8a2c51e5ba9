"""A plan writes nothing and says exactly what the sweep then does."""

from datetime import timedelta
from random import Random

import pytest

from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.scope import Scope
from retention_worker.service.guard import holds
from tests.factories import add_face_template
from tests.snapshot import diff, snapshot
from tests.stage import Stage, lane, planned


def assert_same(stage: Stage) -> None:
    """Plan, then sweep: lane by lane the same accounts, rows and objects."""
    before = snapshot(stage.conn)
    plan = stage.plan()
    assert diff(before, snapshot(stage.conn)) == {}
    report = stage.sweep()
    expected = {
        (each.tenant, each.scope): (each.due, dict(each.rows), each.objects_queued)
        for each in plan.lanes
        if each.stop_reason is None
    }
    swept = {
        (each.tenant, each.scope): (each.accounts, dict(each.rows), each.objects_queued)
        for each in report.lanes
        if each.stop_reason is StopReason.EXHAUSTED
    }
    assert swept == expected


@pytest.mark.parametrize("seed", range(6))
def test_plan_equals_sweep(stage: Stage, seed: int) -> None:
    """Random accounts, holds, newer credentials, edited periods, time: plan and sweep agree."""
    random = Random(seed)
    stage.config.write_policy("birch", all_credentials="200 days")
    for _ in range(4):
        for _ in range(random.randint(3, 12)):
            account = stage.account(
                idle_days=random.randint(0, 500),
                tenant=random.choice(["acme", "birch"]),
                transactions=random.randint(0, 3),
                biometrics=random.random() < 0.8,
                extracted=random.random() < 0.8,
            )
            if account.transactions and random.random() < 0.2:
                at = stage.clock.now - timedelta(days=random.randint(0, 80))
                add_face_template(stage.conn, account.transactions[0], at)
            if random.random() < 0.15:
                holds.place(
                    stage.worker,
                    str(account.account),
                    tenant=account.tenant,
                    reason="dispute",
                    actor="test",
                    until=stage.clock.now + timedelta(days=random.randint(1, 60)),
                )
        if random.random() < 0.5:
            days = random.randint(40, 120)
            stage.config.write_policy(
                "acme", all_credentials=f"{days * 3} days", biometrics=f"{days} days"
            )
        assert_same(stage)
        stage.clock.forward(days=random.randint(0, 90))
    assert_same(stage)


def test_a_plan_of_an_account_in_both_lanes_counts_each_row_once(stage: Stage) -> None:
    """Biometrics that the first lane takes are not promised again by the second."""
    stage.account(idle_days=400, transactions=2)

    plan = stage.plan()

    assert set(planned(plan, Scope.BIOMETRICS).rows) == {
        "face vectors",
        "face templates",
        "authentication vectors",
    }
    assert set(planned(plan, Scope.ALL).rows) == {"selfies and ID images", "extracted fields"}
    assert_same(stage)


def test_an_account_with_biometrics_alone_is_due_once(stage: Stage) -> None:
    """Where the first lane leaves nothing, the second has nothing due."""
    stage.account(idle_days=400, images=(), extracted=False)

    assert planned(stage.plan(), Scope.ALL).due == 0
    assert_same(stage)


def test_a_plan_looks_ahead(stage: Stage) -> None:
    """`at` says what a sweep at that time would erase."""
    stage.account(idle_days=50)

    assert planned(stage.plan(), Scope.BIOMETRICS).due == 0
    later = stage.clock.now + timedelta(days=40)
    assert planned(stage.plan(at=later), Scope.BIOMETRICS).due == 1


def test_a_policy_is_tried_before_it_is_saved(stage: Stage) -> None:
    """A file that is not in place shows what it would erase, and changes nothing."""
    stage.account(idle_days=50)
    path = stage.config.path / "acme.yaml"
    path.write_text("tenant: acme\nretention:\n  biometrics: 30 days\n")

    plan = stage.plan(policy_file=path)

    assert planned(plan, Scope.BIOMETRICS).due == 1
    assert len(plan.lanes) == 1
    assert lane(stage.sweep(), Scope.BIOMETRICS).accounts == 0


def test_a_paused_tenant_still_shows_what_is_due(stage: Stage) -> None:
    """`paused: true` erases nothing and hides nothing."""
    account = stage.account(idle_days=100)
    stage.config.write_policy("acme", biometrics="90 days", paused=True)

    found = planned(stage.plan(), Scope.BIOMETRICS)
    assert (found.due, found.stop_reason) == (1, StopReason.PAUSED)
    assert lane(stage.sweep(), Scope.BIOMETRICS).stop_reason is StopReason.PAUSED
    assert stage.biometrics(account) > 0
