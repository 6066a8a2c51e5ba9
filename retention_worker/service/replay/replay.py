"""Erases again what an export says was erased, after an old backup was restored.

Before traffic. An id may have been given anew since, so only what is no more active than it was
when it was erased goes; everything else is listed with why. By the sweep's and the requests' own
path: locks, holds, proof, ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import structlog

from retention_worker.domain.ledger.chain import LANE_SOURCES
from retention_worker.domain.ledger.export import ExportLine
from retention_worker.domain.scope import Scope
from retention_worker.service.config import Prepared, prepare
from retention_worker.service.context import Context
from retention_worker.service.guard import holdfile
from retention_worker.service.ledger.exportfile import whole
from retention_worker.service.ledger.segments import fetched
from retention_worker.service.replay.lane import LaneReplay
from retention_worker.service.replay.moved import Moved
from retention_worker.service.replay.outcome import Authority, Replay
from retention_worker.service.replay.request import RequestReplay
from retention_worker.store.connection.pool import Connection
from retention_worker.store.ledger import ledger_read
from retention_worker.store.own import approvals, holds, lanes
from retention_worker.store.own.holds import Remembered

_log = structlog.get_logger()

_PAGE = 200


def replay(context: Context, location: Path | str, *, authority: Authority | None = None) -> Replay:
    """Erase again what the ledger of this database has no more.

    Args:
        location: an export of the ledger as it was before the restore: a path, or
            `s3://bucket/prefix`.
        authority: who says so and why; None: say what would be erased, and change nothing.

    Raises:
        NeedsPerson: the export is not as it was written.
        ConfigurationError: it is no export, or the data map does not fit.
        GuardRefused: everything is paused, or another worker is at work.
    """
    with fetched(location) as path:
        return _replay(context, path, str(location), authority)


def _replay(context: Context, path: Path, location: str, authority: Authority | None) -> Replay:
    for _ in whole(path):  # to the end, before anything goes
        pass
    with context.pool.connection() as conn:
        prepared = prepare(context, conn)
        lost = _lost_holds(context, conn, location, place=authority is not None)
        found = _Run(context, conn, prepared, path, None, Replay(holds=lost)).run()
        if authority is None or not found.accounts:
            found.dry_run = authority is None
            return found
        _log.warning(
            "replay_started", actor=authority.actor, reason=authority.reason, accounts=found.total
        )
        done = _Run(context, conn, prepared, path, authority, Replay(holds=lost))
        done.approve(found)
        return done.run()


def _lost_holds(
    context: Context, conn: Connection, location: str, *, place: bool
) -> list[Remembered]:
    """The holds that the backup did not have; placed again before anything goes."""
    with context.writing(conn) as session:
        found = holdfile.lost(session, location, context.clock())
        configured = context.settings.ledger_export
        if configured is not None and str(configured) != location:  # of a copy it is the original's
            more = holdfile.lost(session, str(configured), context.clock())
            found += [each for each in more if each not in found]
        for each in found if place else ():
            holds.place_again(session, each)
            _log.warning("hold_placed_again", tenant_id=each.tenant_id, account=each.account_id)
    return found


@dataclass
class _Run:
    context: Context
    conn: Connection
    prepared: Prepared
    path: Path
    authority: Authority | None
    result: Replay = field(default_factory=Replay)
    approved: dict[tuple[str, Scope], int] = field(default_factory=dict)

    def run(self) -> Replay:
        """Go through the export, batch by batch."""
        self.result.dry_run = self.authority is None
        for line in self._lost():
            Moved(self.context, self.conn, self.prepared, line, self.result).run()
            if line.body["source"] in LANE_SOURCES:
                LaneReplay(self.context, self.conn, self.prepared, line, self.result).run(
                    self.authority, self.approved
                )
            elif line.erasures:
                RequestReplay(self.context, self.conn, self.prepared, line, self.result).run(
                    self.authority, self.path.name
                )
        return self.result

    def approve(self, found: Replay) -> None:
        """Note who lets the lanes go, with numbers; it counts for nothing else."""
        assert self.authority is not None
        now = self.context.clock()
        with self.context.writing(self.conn) as session:
            lanes.register(session, sorted({tenant for tenant, _ in found.accounts}))
            for (tenant, scope), shown in found.shown.items():
                self.approved[tenant, scope] = approvals.add_for_replay(
                    session,
                    approvals.Grant(
                        tenant_id=tenant,
                        scope=scope,
                        policy_digest=shown.policy_digest,
                        cutoff=shown.cutoff,
                        at_most=found.accounts[tenant, scope],
                        actor=self.authority.actor,
                        reason=f"replay of {self.path.name}: {self.authority.reason}",
                        now=now,
                        expires_at=now,
                    ),
                )

    def _lost(self) -> Iterator[ExportLine]:
        """The batches that the ledger does not have (any more)."""
        rest = (each.line for each in whole(self.path))
        while page := list(islice(rest, _PAGE)):
            with self.context.reading(self.conn) as session:
                there = ledger_read.hashes(session, [line.batch for line in page])
            for line in page:
                if there.get(line.batch) == line.hash:
                    self.result.known += 1
                else:
                    self.result.lost += 1
                    yield line
