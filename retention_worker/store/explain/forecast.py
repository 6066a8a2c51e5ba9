"""How many accounts become due when, counted by the indexes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.sql import Composed

from retention_worker.domain.lane.lane import LaneState
from retention_worker.store.connection.keys import Key
from retention_worker.store.connection.session import Session
from retention_worker.store.mapsql import CompiledMap


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A length of time, after one instant and up to another, and the cutoffs at its two ends."""

    after: datetime
    upto: datetime
    low: datetime
    high: datetime


def ahead(
    session: Session,
    compiled: CompiledMap,
    statement: Composed,
    lane: LaneState,
    stretches: Sequence[Stretch],
) -> dict[int, int]:
    """Accounts ahead of the watermark by the stretch in which they become due.

    Args:
        compiled: the data map.
        statement: `count_by_stretch` of it.
        lane: whose accounts.
        stretches: one after the other.

    Returns:
        How many, by the stretch's index; stretches without any are left out.
    """
    bound = compiled.accounts.activity.bound
    watermark = lane.watermark
    rows = session.rows(
        statement,
        {
            "tenant": lane.tenant_id,
            "lows": [bound(each.low) for each in stretches],
            "highs": [bound(each.high) for each in stretches],
            "after_activity": watermark.activity if watermark else None,
            "after_id": _listed(watermark.key) if watermark else None,
        },
    )
    return {row["position"]: row["accounts"] for row in rows}


def again(session: Session, lane: LaneState, stretches: Sequence[Stretch]) -> dict[int, int]:
    """Deferred accounts by the stretch in which they are looked at again."""
    rows = session.rows(
        "forecast.deferred",
        {
            "tenant": lane.tenant_id,
            "scope": lane.scope,
            "afters": [each.after for each in stretches],
            "uptos": [each.upto for each in stretches],
            "lows": [each.low for each in stretches],
            "highs": [each.high for each in stretches],
        },
    )
    return {row["position"]: row["accounts"] for row in rows}


def on_hold(session: Session, lane: LaneState) -> int:
    """Accounts that were due and are on hold without an end."""
    return int(session.value("forecast.on_hold", {"tenant": lane.tenant_id, "scope": lane.scope}))


def _listed(key: Key) -> list[str]:
    return list(key)
