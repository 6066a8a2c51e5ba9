"""Promises that every thing that is shown as JSON has the document that scripts know."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from retention_worker.cli.commands.hold import _as_json as hold_as_json
from retention_worker.domain.access.permission import Permission
from retention_worker.domain.access.role import Role
from retention_worker.domain.document import document
from retention_worker.domain.errors import FileProblem
from retention_worker.domain.explain import explanation_json
from retention_worker.domain.explain.explanation import (
    Activity,
    EntryExplained,
    ExplainedEntry,
    Explanation,
    LaneExplained,
    Obstacle,
    OpenRequest,
    PastErasure,
    PolicyRule,
    State,
)
from retention_worker.domain.explain.forecast import Forecast, LaneForecast
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.report import (
    LanePlan,
    LaneReport,
    PlanReport,
    ReportWarning,
    SweepReport,
    WarningCode,
)
from retention_worker.domain.lane.shown import ShownAccounts
from retention_worker.domain.ledger.finding import Change, LedgerFinding
from retention_worker.domain.ledger.monthly import (
    ApprovalOfMonth,
    ErasedGroup,
    MonthReport,
    RequestGroup,
    TenantMonth,
)
from retention_worker.domain.ledger.verification import LaneLeft, Observation, Verification
from retention_worker.domain.objects.object import DrainReport, ObjectCounts, ObjectState
from retention_worker.domain.policy.period import Period
from retention_worker.domain.scope import CredentialClass, Scope
from retention_worker.objects.object_store import StoreInspection
from retention_worker.service.guard.holds import ListedHold, Placed
from retention_worker.service.plan.approve import NotedApproval
from retention_worker.service.policy.policies import Applied
from retention_worker.service.policy.schedule import Schedule, ScheduleLine
from retention_worker.service.replay.outcome import Replay
from retention_worker.service.request.request import DoneRequest
from retention_worker.store.own.clients import Client
from retention_worker.store.own.holds import Hold, Remembered
from retention_worker.store.own.objects import ListedObject
from retention_worker.store.own.portal import User

AT = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=UTC)
EARLIER = datetime(2025, 12, 31, 23, 59, tzinfo=UTC)
ENDLESS = datetime.max.replace(tzinfo=UTC)

WARNING = ReportWarning(code=WarningCode.NO_POLICY, tenant="birch", message="has no file")
DRAIN = DrainReport(drained=True, deleted=3, left={"denied": 2}, down={"s3://a": "timeout"})
HOLD = Hold(
    id=7,
    tenant_id="t1",
    account_id="42",
    reason="court",
    placed_by="ann",
    placed_at=EARLIER,
    until=AT,
)


def _sweep(objects: DrainReport | None) -> SweepReport:
    return SweepReport(
        sweep_id=9,
        started_at=EARLIER,
        finished_at=AT,
        lanes=(
            LaneReport(
                tenant="acme",
                scope=Scope.ALL,
                cutoff=EARLIER,
                policy_digest="d1",
                accounts=2,
                rows={"images": 4, "extracts": 1},
                objects_queued=3,
                deferred=1,
                errors=1,
                on_hold=2,
                batches=1,
                stop_reason=StopReason.WAITING,
                reason="too many",
                pace="slow",
            ),
            LaneReport(tenant="birch", scope=None, stop_reason=StopReason.INVALID_POLICY),
        ),
        unfinished=("request 4: locked",),
        holds_astray=("hold 7",),
        warnings=(WARNING,),
        objects=objects,
    )


def _plan() -> PlanReport:
    return PlanReport(
        at=AT,
        lanes=(
            LanePlan(
                tenant="acme",
                scope=Scope.BIOMETRICS,
                cutoff=EARLIER,
                policy_digest="d1",
                due=2,
                rows={"vectors": 5},
                objects_queued=1,
                deferred=3,
                errors=1,
                on_hold=4,
                stop_reason=StopReason.WAITING,
                reason="look",
                place="5",
                shown=ShownAccounts.of(["1", "2"]),
            ),
            LanePlan(tenant="birch", scope=None),
        ),
        warnings=(WARNING,),
        holds_astray=("hold 7",),
    )


def _month() -> MonthReport:
    group = ErasedGroup(
        scope="all",
        source="sweep",
        policy_digest="d1",
        period="90 days",
        accounts=1,
        transactions=2,
        rows={"images": 3},
        objects=4,
        batches=5,
        earliest=timedelta(hours=1, microseconds=7),
        latest=None,
        early=0,
        late=6,
    )
    tenant = TenantMonth(
        tenant_id="t1",
        tenant="acme",
        erased=(group,),
        objects_deleted=8,
        holds={"placed": 1, "released": 0, "in_force": 2},
        approvals=(
            ApprovalOfMonth(
                scope="all",
                cutoff=EARLIER,
                at_most=5,
                spent=2,
                approved_by="ann",
                approved_at=EARLIER,
                reason="fine",
            ),
        ),
        requests=(
            RequestGroup(
                kind="account",
                scope="all",
                source="api",
                requested=4,
                done=2,
                refused=1,
                open=1,
                late=0,
            ),
        ),
    )
    return MonthReport(month="2026-05", start=EARLIER, end=AT, over=False, tenants=(tenant,))


def _verification() -> Verification:
    return Verification(
        at=AT,
        tenants=1,
        accounts=2,
        erasures=3,
        lanes=(
            LaneLeft(
                tenant="acme",
                scope=Scope.ALL,
                cutoff=EARLIER,
                overdue=1,
                paused=2,
                waiting=3,
                on_hold=4,
                deferred=5,
                oldest=EARLIER,
                examples=("1", "2"),
            ),
        ),
        observations=(
            Observation(check="overdue", wrong=True, message="look", oldest=AT, examples=("1",)),
            Observation(check="held", wrong=False, message="fine", tenant="a", scope=Scope.ALL),
        ),
    )


def _replay(*, dry_run: bool) -> Replay:
    found = Replay(dry_run=dry_run, known=1, lost=2, gone=3)
    found.holds.append(
        Remembered(
            tenant_id="t1",
            account_id="42",
            reason="court",
            placed_by="ann",
            placed_at=EARLIER,
            until=None,
            seen=(),
        )
    )
    found.accounts["t1", Scope.ALL] = 5
    return found


def _explanation() -> Explanation:
    lane = LaneExplained(
        scope=Scope.ALL,
        rule=PolicyRule(
            period=Period.parse("90 days"),
            file="tenants/acme.yaml",
            digest="d1",
            applied_at=EARLIER,
        ),
        state=State.ON_HOLD,
        rows=2,
        activity=Activity(source="account.last_activity", at=EARLIER),
        due_at=AT,
        due=True,
        overdue=False,
        obstacles=(Obstacle(state=State.ON_HOLD, text="a hold", detail="7"),),
    )
    never = LaneExplained(
        scope=Scope.BIOMETRICS,
        rule=PolicyRule(state=State.INVALID_POLICY, problems=("a", "b")),
        state=State.INVALID_POLICY,
        rows=1,
    )
    outbox = ObjectCounts(gone=1, left={"denied": 2}, since={"denied": "2026-05-01 00:00"})
    images = ExplainedEntry(
        name="images", table="t.images", class_=CredentialClass.OTHER, rows=2, objects=1
    )
    vectors = ExplainedEntry(
        name="vectors",
        table="t.vectors",
        class_=CredentialClass.BIOMETRIC,
        rows=0,
        outbox=outbox,
        erased_at=EARLIER,
    )
    return Explanation(
        account="42",
        tenant="acme",
        tenant_id="t1",
        at=AT,
        present=True,
        activities={"account.last_activity": EARLIER, "login.at": None, "future.at": ENDLESS},
        lanes=(lane, never),
        entries=(
            EntryExplained(entry=images, state=State.ON_HOLD, lane=lane),
            EntryExplained(entry=vectors, state=State.ERASED, lane=None),
        ),
        erasures=(
            PastErasure(
                kind="account",
                id="42",
                scope=Scope.BIOMETRICS,
                erased_at=EARLIER,
                source="sweep",
                last_activity=ENDLESS,
                tenant="acme",
                period="30 days",
                policy_digest="d0",
                policy_applied_at=EARLIER,
                revision="r1",
            ),
        ),
        requests=(
            OpenRequest(
                kind="transaction", id="8", scope=Scope.ALL, requested_at=EARLIER, due_by=AT
            ),
        ),
        last_sweep=None,
    )


SAMPLES: dict[str, Any] = {
    "sweep": _sweep(None),
    "sweep with objects": _sweep(DRAIN),
    "plan": _plan(),
    "forecast": Forecast(
        at=AT,
        days=3,
        lanes=(
            LaneForecast(
                tenant="acme",
                scope=Scope.ALL,
                now=1,
                days={date(2026, 5, 4): 2, date(2026, 5, 6): 3},
                on_hold=4,
                paused=True,
            ),
        ),
        broken={"birch": "wrong"},
    ),
    "month": _month(),
    "verification": _verification(),
    "finding of the ledger": LedgerFinding(
        change=Change.CHANGED, table="batch", row=3, message="was", column="hash", batch=3
    ),
    "drain": DRAIN,
    "counts of objects": ObjectCounts(gone=1, left={"queued": 2}, since={}),
    "store": StoreInspection(store="s3://a", versions="never"),
    "replay": _replay(dry_run=True),
    "replayed": _replay(dry_run=False),
    "explanation": explanation_json.to_json(_explanation()),
    "placed hold": Placed(id=7, tenant_id="t1", account="42", credentials_left=False, until=None),
    "hold": hold_as_json(
        ListedHold(hold=HOLD, in_place=False, elsewhere=(("t2", "9"), (None, "8")))
    ),
    "client": Client(
        client_id="c1",
        tenant_id="t1",
        name="app",
        permissions=frozenset(Permission),
        secret_hash=b"secret",
        created_at=EARLIER,
        created_by="ann",
        rotated_at=AT,
        revoked_at=None,
        last_token_at=None,
    ),
    "user": User(
        name="sam",
        tenant_id="t1",
        role=next(iter(Role)),
        password_hash="secret",
        created_at=EARLIER,
        created_by="ann",
        password_at=AT,
        disabled_at=None,
    ),
    "approval": NotedApproval(
        id=1, tenant="acme", scope=Scope.ALL, cutoff=EARLIER, at_most=5, expires_at=AT
    ),
    "object": ListedObject(
        id=1,
        tenant_id="t1",
        account_id="42",
        batch_id=3,
        entry="images",
        uri="https://store.example/a/b.jpg?token=secret",
        state=ObjectState.DENIED,
        attempts=2,
        error="AccessDenied",
        queued_at=EARLIER,
        since=None,
        retry_at=AT,
    ),
    "applied policy": Applied(
        tenant="acme",
        digest="d1",
        all_credentials="90 days",
        biometrics=None,
        paused=False,
        revision=None,
        applied_at=AT,
        content="tenant: acme\n",
    ),
    "done request": DoneRequest(
        request=4,
        tenant_id="t1",
        kind="account",
        subject="42",
        scope=Scope.ALL,
        requested_at=EARLIER,
        finished_at=AT,
        again=False,
        rows={"images": 2},
        objects_queued=1,
    ),
    "problem of a file": FileProblem("tenants/a.yaml", 4, 15, "retention", "write a period"),
    "schedule": Schedule(
        counted_from="last activity of the account",
        lines=(
            ScheduleLine(
                tenant="acme",
                tenant_id="t1",
                scope=Scope.ALL,
                credentials=("images", "extracts"),
                period="90 days",
                since=EARLIER,
                paused=True,
                digest="d1",
            ),
        ),
        broken={"birch": ("wrong", "worse")},
    ),
}

KNOWN = json.loads(Path(__file__).with_name("documents.json").read_text("utf-8"))


@pytest.mark.parametrize("name", SAMPLES)
def test_documents_are_as_scripts_know_them(name: str) -> None:
    """The same keys in the same order with the same values, whatever becomes of the classes."""
    assert json.dumps(document(SAMPLES[name])) == json.dumps(KNOWN[name])


def test_no_secret_is_in_a_document() -> None:
    """What a class keeps out of its repr is nobody's to read."""
    assert "secret" not in json.dumps(document([SAMPLES["client"], SAMPLES["user"]]))
