"""What a lane would erase, found by the sweep's own predicate without a lock or a write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from retention_worker.domain.lane.lane import LaneState, Position
from retention_worker.domain.lane.shown import ShownAccounts
from retention_worker.domain.scope import Scope
from retention_worker.service.due.eligibility import block, has_credentials
from retention_worker.store.connection.keys import Key, id_text
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts, remains
from retention_worker.store.mapped.accounts import Found
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.own import deferred, holds

_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class LaneView:
    """A lane at an instant: `behind` are keys that reconcile has found.

    `shown`: the accounts that an approval is for; nobody else counts as due. None: all do.
    `lost` and `kept_until` fill while the due are counted: accounts that cannot be erased whole,
    and why; until when an activity or a credential keeps others.
    """

    compiled: CompiledMap
    lane: LaneState
    cutoff: datetime
    now: datetime
    behind: tuple[Key, ...] = ()
    shown: ShownAccounts | None = None
    lost: dict[str, str] = field(default_factory=dict)
    kept_until: list[str] = field(default_factory=list)

    @property
    def bound(self) -> str:
        """The cutoff in the activity column's own text."""
        return self.compiled.accounts.activity.bound(self.cutoff)

    def counts(self, key: Key) -> bool:
        """Whether an account is one of those that are asked about."""
        return self.shown is None or id_text(key) in self.shown


def due_at_most(session: Session, survey: LaneView, limit: int) -> int:
    """An upper bound of what is due, by the index alone, counted to about `limit`."""
    lane = survey.lane
    ahead = accounts.count_due(
        session,
        survey.compiled,
        lane.tenant_id,
        survey.bound,
        after=lane.watermark,
        limit=limit,
    )
    again = deferred.count_ready(
        session,
        lane.tenant_id,
        lane.scope,
        cutoff=survey.cutoff,
        now=survey.now,
        limit=limit,
    )
    return ahead + again + len(survey.behind)


def eligible(session: Session, survey: LaneView) -> Iterator[list[tuple[Key, Found]]]:
    """Pages of accounts that a sweep would erase now: ready deferred, frontier, behind."""
    lane = survey.lane
    seen: set[str] = set()
    ready = deferred.ready(
        session,
        lane.tenant_id,
        lane.scope,
        cutoff=survey.cutoff,
        now=survey.now,
        limit=_READY_LIMIT,
    )
    again = list(dict.fromkeys([*(row.key for row in ready), *survey.behind]))
    again = [key for key in again if survey.counts(key)]
    for start in range(0, len(again), _PAGE):
        keys = again[start : start + _PAGE]
        present = accounts.present(session, survey.compiled, lane.tenant_id, keys, survey.bound)
        due = [key for key in keys if (at := present.get(id_text(key))) and at.due]
        seen |= {id_text(key) for key in due}
        yield eligible_keys(session, survey, due)
    after: Position | None = lane.watermark
    while page := accounts.page(
        session, survey.compiled, lane.tenant_id, survey.bound, after=after, limit=_PAGE
    ):
        keys = [each.key for each in page if id_text(each.key) not in seen]
        yield eligible_keys(session, survey, [key for key in keys if survey.counts(key)])
        after = page[-1].position


def count_up_to(session: Session, survey: LaneView, limit: int) -> int:
    """How many accounts a sweep would erase now, counted not far beyond `limit`."""
    found = 0
    for page in eligible(session, survey):
        found += len(page)
        if found > limit:
            break
    return found


def any_other(session: Session, survey: LaneView) -> bool:
    """Whether an account that was not shown is due now, ahead or behind.

    One that was deferred before is known to be due: it is none of the approval's, and no surprise.
    """
    keys = [key for key in survey.behind if not survey.counts(key)]
    present = accounts.present(session, survey.compiled, survey.lane.tenant_id, keys, survey.bound)
    found = [key for key in keys if (at := present.get(id_text(key))) and at.due]
    after: Position | None = survey.lane.watermark
    while not eligible_keys(session, survey, found):
        page = accounts.page(
            session,
            survey.compiled,
            survey.lane.tenant_id,
            survey.bound,
            after=after,
            limit=_PAGE,
        )
        if not page:
            return False
        found = [each.key for each in page if not survey.counts(each.key)]
        after = page[-1].position
    return True


# More deferred accounts than this at once would be an incident of its own.
_READY_LIMIT = 1_000_000


def eligible_keys(
    session: Session, survey: LaneView, keys: Sequence[Key]
) -> list[tuple[Key, Found]]:
    """Accounts among the keys whose credentials are there and which nothing blocks."""
    if not keys:
        return []
    looked = accounts.look(
        session,
        survey.compiled,
        survey.lane.tenant_id,
        survey.lane.scope,
        keys,
        cutoff=survey.cutoff,
        now=survey.now,
        max_units=1,
    )
    looked = accounts.living(
        session, survey.compiled, survey.lane.tenant_id, looked, cutoff=survey.cutoff
    )
    looked = holds.on_hold(
        session, survey.compiled, survey.lane.tenant_id, looked, keys, survey.now
    )
    scope: Scope = survey.lane.scope
    lost = remains.lost(
        session, survey.compiled, survey.lane.tenant_id, scope, looked=looked, keys=keys
    )
    there = [
        (key, looked[id_text(key)])
        for key in keys
        if has_credentials(looked[id_text(key)], scope) or id_text(key) in lost
    ]
    blocked = {found.id: block(key, found) for key, found in there}
    free = [(key, found) for key, found in there if blocked[found.id] is None]
    survey.kept_until.extend(
        each.active_at for each in blocked.values() if each is not None and each.active_at
    )
    survey.lost.update({found.id: lost[found.id] for _, found in free if found.id in lost})
    return [(key, found) for key, found in free if found.id not in lost]
