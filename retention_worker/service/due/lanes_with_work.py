"""Which lanes have something to do: found for all tenants in two statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, auto

from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.lane.lane import LaneState
from retention_worker.domain.policy.policy import PolicyBounds
from retention_worker.domain.scope import Scope
from retention_worker.service.config import Prepared
from retention_worker.service.due.cutoff import cutoff_of
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts
from retention_worker.store.own import deferred

# Lanes that look through a slice behind their watermark in one sweep: a few, so that a sweep with
# nothing to do costs the same for ten tenants and ten thousand.
_SLICES = 2
_NEVER = datetime.min.replace(tzinfo=UTC)


class LookBack(Enum):
    """How far behind the watermark a lane looks in this sweep."""

    NOTHING = auto()
    SLICE = auto()
    EVERYTHING = auto()


def find_work(
    session: Session,
    prepared: Prepared,
    files: Mapping[str, PolicyFile],
    states: Sequence[LaneState],
    *,
    now: datetime,
    bounds: PolicyBounds,
    reconcile: bool,
) -> dict[tuple[str, Scope], LookBack]:
    """The lanes with a candidate, a deferred account whose time has come, or a look to take.

    Args:
        prepared: files and map.
        files: by the value in the tenant column.
        states: the lanes' rows.
        now: the sweep's start.
        bounds: the operator's.
        reconcile: every lane looks through everything behind its watermark.
    """
    goes: list[tuple[LaneState, datetime]] = []
    for state in states:
        cutoff = cutoff_of(files[state.tenant_id], state.scope, now, bounds)
        if cutoff is not None:
            goes.append((state, cutoff))
    if not goes:
        return {}
    lanes, cutoffs = [state for state, _ in goes], [cutoff for _, cutoff in goes]
    due = accounts.due_lanes(session, prepared.compiled, lanes, cutoffs)
    due |= deferred.ready_lanes(session, [(s.tenant_id, s.scope) for s in lanes], cutoffs, now)
    # A lane that is paused or waits records no pass: it would keep the others from theirs.
    goes_on = [s for s in lanes if s.waiting_since is None and not files[s.tenant_id].policy.paused]
    slices = {(s.tenant_id, s.scope) for s in _longest_unseen(goes_on)}
    found: dict[tuple[str, Scope], LookBack] = {}
    for index, state in enumerate(lanes):
        key = (state.tenant_id, state.scope)
        full = state.watermark is not None and (
            reconcile or state.map_digest != prepared.map_digest(state.scope)
        )
        if full:
            found[key] = LookBack.EVERYTHING
        elif key in slices:
            found[key] = LookBack.SLICE
        elif index in due:
            found[key] = LookBack.NOTHING
    return found


def _longest_unseen(lanes: Sequence[LaneState]) -> list[LaneState]:
    """The lanes whose last whole pass is longest ago; one that never had one comes first."""
    behind = [state for state in lanes if state.watermark is not None]
    behind.sort(key=lambda state: state.behind.finished_at or _NEVER)
    return behind[:_SLICES]
