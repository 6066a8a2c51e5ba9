"""An explanation as `explain --json` prints it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from retention_worker.domain.explain.explanation import (
    EntryExplained,
    Explanation,
    LaneExplained,
    PastErasure,
)
from retention_worker.domain.explain.explanation_words import sentences
from retention_worker.domain.ledger.chain import is_endless, stamp


def to_json(found: Explanation) -> dict[str, Any]:
    """The whole of it; times in ISO 8601, UTC, six digits."""
    return {
        "account": found.account,
        "tenant": found.tenant,
        "tenant_id": found.tenant_id,
        "at": stamp(found.at),
        "present": found.present,
        "sentences": sentences(found),
        "activities": {source: _time(at) for source, at in found.activities.items()},
        "scopes": [_lane(lane) for lane in found.lanes],
        "entries": [_entry(entry) for entry in found.entries],
        "erasures": [_erasure(erasure) for erasure in found.erasures],
        "last_sweep": _time(found.last_sweep),
        "requests": [
            {
                "kind": each.kind,
                "id": each.id,
                "scope": each.scope,
                "requested_at": stamp(each.requested_at),
                "due_by": stamp(each.due_by),
            }
            for each in found.requests
        ],
    }


def _time(moment: datetime | None) -> str | None:
    """As PostgreSQL spells it where it is beyond the calendar."""
    if moment is not None and is_endless(moment):
        return "infinity"
    return stamp(moment) if moment else None


def _lane(lane: LaneExplained) -> dict[str, Any]:
    rule, activity = lane.rule, lane.activity
    return {
        "scope": lane.scope,
        "state": lane.state,
        "rows": lane.rows,
        "period": str(rule.period) if rule.period else None,
        "policy_file": rule.file,
        "policy_digest": rule.digest,
        "policy_applied_at": _time(rule.applied_at),
        "policy_problems": list(rule.problems),
        "activity": {"source": activity.source, "at": stamp(activity.at)} if activity else None,
        "due_at": _time(lane.due_at),
        "due": lane.due,
        "overdue": lane.overdue,
        "obstacles": [
            {"state": each.state, "text": each.text, "detail": each.detail}
            for each in lane.obstacles
        ],
    }


def _entry(found: EntryExplained) -> dict[str, Any]:
    entry, lane = found.entry, found.lane
    return {
        "name": entry.name,
        "table": entry.table,
        "class": entry.class_,
        "state": found.state,
        "rows": entry.rows,
        "objects": entry.objects,
        "scope": lane.scope if lane else None,
        "due_at": _time(lane.due_at) if lane else None,
        "erased_at": _time(entry.erased_at),
        "outbox": entry.outbox.to_json(),
    }


def _erasure(erasure: PastErasure) -> dict[str, Any]:
    return {
        "kind": erasure.kind,
        "id": erasure.id,
        "scope": erasure.scope,
        "erased_at": stamp(erasure.erased_at),
        "source": erasure.source,
        "last_activity": _time(erasure.last_activity),
        "tenant": erasure.tenant,
        "period": erasure.period,
        "policy_digest": erasure.policy_digest,
        "policy_applied_at": _time(erasure.policy_applied_at),
        "revision": erasure.revision,
    }
