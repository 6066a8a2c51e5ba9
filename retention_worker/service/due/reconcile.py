"""Finds what is due behind the watermark: late commits, imports, credentials that came back."""

from __future__ import annotations

from datetime import datetime

from retention_worker.domain.lane.lane import Behind, LaneState, Position
from retention_worker.service.due.eligibility import has_credentials
from retention_worker.store.connection.keys import Key, id_text
from retention_worker.store.connection.pool import Connection, reading
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.own import deferred, lanes

# Accounts looked through in each sweep without being asked: few, so that a sweep with little to do
# stays cheap; the weekly pass looks at all.
SLICE = 16
_FULL_SLICE = 500
# What is kept in memory at once, about 20 MB; the next sweep goes on from there.
_MOST_FOUND = 100_000


def scan(
    conn: Connection,
    schema_name: str,
    compiled: CompiledMap,
    lane: LaneState,
    *,
    now: datetime,
    full: bool,
    map_digest: str,
) -> tuple[tuple[Key, ...], Position | None]:
    """Look through what lies behind the watermark, in short transactions.

    Args:
        conn: an autocommit connection outside of a transaction.
        schema_name: the worker's own schema.
        compiled: the data map.
        lane: as it was read.
        now: the sweep's start.
        full: everything, from where the slices are to the end and then up to there; otherwise
            one small slice.
        map_digest: of the scope's entries; a pass that began under another one begins again.

    Returns:
        The accounts whose credentials are there, and where the look ended (None: at the end).
    """
    assert lane.watermark is not None
    # Also what is not due (a longer period): it is deferred, because no page will reach it again.
    bound = lane.watermark.activity
    size = _FULL_SLICE if full else SLICE
    found: list[Key] = []
    begun = place = lane.behind.cursor if lane.behind.digest == map_digest else None
    while True:
        with reading(conn):
            session = Session(conn, schema_name)
            page = accounts.page(session, compiled, lane.tenant_id, bound, after=place, limit=size)
            found += _with_credentials(session, compiled, lane, [c.key for c in page], now)
        place = page[-1].position if len(page) == size else None
        if place is None and full and begun is not None:
            bound, begun = begun.activity, None
        elif place is None or not full or len(found) >= _MOST_FOUND:
            return tuple(dict.fromkeys(found)), place


def _with_credentials(
    session: Session,
    compiled: CompiledMap,
    lane: LaneState,
    keys: list[Key],
    now: datetime,
) -> tuple[Key, ...]:
    if not keys:
        return ()
    found = accounts.look(
        session, compiled, lane.tenant_id, lane.scope, keys, cutoff=None, now=now, max_units=1
    )
    looked = {key: found[id_text(key)] for key in keys}
    there = [key for key, f in looked.items() if f.is_astray or has_credentials(f, lane.scope)]
    # What failed waits for its own time, with its attempts and how far it came.
    later = deferred.tried_again(session, lane.tenant_id, lane.scope, [id_text(k) for k in there])
    return tuple(key for key in there if id_text(key) not in later)


def record(
    session: Session, lane: LaneState, end: Position | None, map_digest: str, now: datetime
) -> None:
    """Note that everything up to `end` was looked through under the map of that digest."""
    behind = lane.behind
    began = behind.digest != map_digest or behind.started_at is None or behind.cursor is None
    started_at = now if began else behind.started_at
    noted = Behind(
        digest=map_digest,
        cursor=end,
        started_at=started_at,
        finished_at=now if end is None else behind.finished_at,
    )
    lanes.set_behind(session, lane, noted, map_digest if end is None else lane.map_digest)
