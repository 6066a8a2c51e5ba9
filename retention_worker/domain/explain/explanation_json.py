"""An explanation as `explain --json` prints it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from retention_worker.domain.document import document
from retention_worker.domain.explain.explanation import EntryExplained, Explanation, LaneExplained
from retention_worker.domain.explain.explanation_words import sentences
from retention_worker.domain.instant import is_endless, stamp


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
        "erasures": document(found.erasures, instant=_instant),
        "last_sweep": _time(found.last_sweep),
        "requests": document(found.requests),
    }


def _instant(moment: datetime) -> str:
    """As PostgreSQL spells it where it is beyond the calendar."""
    return "infinity" if is_endless(moment) else stamp(moment)


def _time(moment: datetime | None) -> str | None:
    return _instant(moment) if moment else None


def _lane(lane: LaneExplained) -> dict[str, Any]:
    rule = lane.rule
    return {
        "scope": lane.scope,
        "state": lane.state,
        "rows": lane.rows,
        "period": str(rule.period) if rule.period else None,
        "policy_file": rule.file,
        "policy_digest": rule.digest,
        "policy_applied_at": _time(rule.applied_at),
        "policy_problems": list(rule.problems),
        "activity": document(lane.activity),
        "due_at": _time(lane.due_at),
        "due": lane.due,
        "overdue": lane.overdue,
        "obstacles": document(lane.obstacles),
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
