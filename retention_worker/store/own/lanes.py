"""The lanes' rows: lease, watermark, reconcile's place, how they ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from retention_worker.domain.lane.allowance import Allowance
from retention_worker.domain.lane.lane import Behind, LaneState, Position, StopReason
from retention_worker.domain.scope import Scope
from retention_worker.store.connection.answers import Pending, StatementAnswer
from retention_worker.store.connection.session import Session


def register(session: Session, tenant_ids: Iterable[str]) -> None:
    """Make rows for tenants that are new."""
    session.send("lanes.register", {"tenants": list(tenant_ids)})


def of_tenants(session: Session, tenant_ids: Iterable[str]) -> list[LaneState]:
    """The lanes of the tenants, the least recently served tenant first."""
    rows = session.rows("lanes.of_tenants", {"tenants": list(tenant_ids)})
    return [_state(row) for row in rows]


def lease(session: Session, tenant_id: str) -> Pending[bool]:
    """Take the tenant until the transaction ends; False where another worker has it."""
    answer = session.send("lanes.lease", {"tenant": tenant_id})
    return Pending(answer, lambda given: given.row() is not None)


def read(session: Session, tenant_id: str, scope: Scope) -> LaneState:
    """The lane, as committed by whoever had the lease before."""
    return ask(session, tenant_id, scope).get()


def ask(session: Session, tenant_id: str, scope: Scope) -> Pending[LaneState]:
    """Ask for the lane; sent behind the lease, as a statement of its own, it sees the latest."""
    return Pending(session.send("lanes.read", {"tenant": tenant_id, "scope": scope}), _only)


def _only(answer: StatementAnswer) -> LaneState:
    row = answer.row()
    assert row is not None  # registered at the sweep's start
    return _state(row)


def lock(session: Session, tenant_id: str, scope: Scope) -> LaneState:
    """The lane, whose allowance nobody else changes until the transaction ends."""
    row = session.row("lanes.lock", {"tenant": tenant_id, "scope": scope})
    assert row is not None
    return _state(row)


def advance(session: Session, lane: LaneState, to: Position) -> None:
    """Move the watermark."""
    session.send("lanes.advance", _key(lane) | {"activity": to.activity, "key": list(to.key)})


def set_policy_digest(session: Session, tenant_id: str, digest: str) -> None:
    """Note the policy that was applied last, for both lanes."""
    session.send("lanes.set_policy_digest", {"tenant": tenant_id, "digest": digest})


def set_behind(session: Session, lane: LaneState, behind: Behind, map_digest: str | None) -> None:
    """Note where reconcile stands, and under which map it last went all the way."""
    session.send(
        "lanes.set_behind",
        _key(lane)
        | {
            "digest": behind.digest,
            "activity": behind.cursor.activity if behind.cursor else None,
            "key": list(behind.cursor.key) if behind.cursor else None,
            "started_at": behind.started_at,
            "finished_at": behind.finished_at,
            "map_digest": map_digest,
        },
    )


def finish(
    session: Session,
    tenant_id: str,
    scope: Scope,
    *,
    stop_reason: StopReason,
    reason: str | None,
    now: datetime,
) -> None:
    """Note how the lane ended."""
    session.send(
        "lanes.finish",
        {
            "tenant": tenant_id,
            "scope": scope,
            "stop_reason": stop_reason,
            "reason": reason,
            "now": now,
        },
    )


def set_allowance(session: Session, lane: LaneState, allowance: Allowance) -> None:
    """Note what the lane's allowance has become."""
    session.send(
        "lanes.set_allowance", _key(lane) | {"accounts": allowance.accounts, "at": allowance.at}
    )


def clamp_allowance(
    session: Session, tenant_id: str, scope: Scope, most: int, now: datetime
) -> None:
    """Let the lane's allowance be no more than `most` from now on."""
    session.send(
        "lanes.clamp_allowance", {"tenant": tenant_id, "scope": scope, "most": most, "now": now}
    )


def allowance_of(accounts: float | None, at: datetime | None) -> Allowance | None:
    """An allowance from its two columns."""
    if accounts is None or at is None:
        return None
    return Allowance(accounts=accounts, at=at)


def served(session: Session, tenant_id: str, now: datetime) -> None:
    """Let other tenants come first next time."""
    session.send("lanes.served", {"tenant": tenant_id, "now": now})


def _key(lane: LaneState) -> dict[str, Any]:
    return {"tenant": lane.tenant_id, "scope": lane.scope}


def _state(row: dict[str, Any]) -> LaneState:
    return LaneState(
        tenant_id=row["tenant_id"],
        scope=Scope(row["scope"]),
        watermark=_position(row["watermark_activity"], row["watermark_id"]),
        policy_digest=row["policy_digest"],
        map_digest=row["map_digest"],
        behind=Behind(
            digest=row["reconcile_digest"],
            cursor=_position(row["reconcile_activity"], row["reconcile_id"]),
            started_at=row["reconcile_started_at"],
            finished_at=row["reconciled_at"],
        ),
        waiting_since=row["waiting_since"],
        allowance=allowance_of(row["allowance"], row["allowance_at"]),
        head_hash=row["head_hash"],
    )


def _position(activity: str | None, key: list[str] | None) -> Position | None:
    if activity is None or key is None:
        return None
    return Position(activity=activity, key=tuple(key))
