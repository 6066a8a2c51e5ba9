"""Erases again the accounts of one batch of a lane, under the cutoff that was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from retention_worker.domain.errors import GuardRefused, StatementFailed
from retention_worker.domain.ledger.chain import REPLAY
from retention_worker.domain.ledger.erasure import Erasure, is_later
from retention_worker.domain.ledger.export import ExportLine
from retention_worker.domain.scope import Scope
from retention_worker.service.config import Prepared
from retention_worker.service.context import Context
from retention_worker.service.due.eligibility import block, has_credentials
from retention_worker.service.replay.outcome import Authority, EarlierLane, Replay
from retention_worker.service.sweep.batch import Batch
from retention_worker.service.sweep.lane_rules import BatchTask, CandidatesFrom, LaneRules
from retention_worker.store.connection.keys import Key, parse_id
from retention_worker.store.connection.pool import Connection, writing
from retention_worker.store.connection.session import Deadline, Session
from retention_worker.store.mapped import accounts, remains, transactions
from retention_worker.store.own import holds

# There is no traffic yet that a long transaction could hurt, and a large account goes at once.
_DEADLINE_MS = 600_000
_MOST_UNITS = 1_000_000_000


@dataclass
class LaneReplay:
    """Replays a batch of a lane that the export has and the ledger has not."""

    context: Context
    conn: Connection
    prepared: Prepared
    line: ExportLine
    result: Replay

    def __post_init__(self) -> None:
        body = self.line.body
        self._tenant: str = body["tenant"]
        self._scope = Scope(body["scope"])
        self._shown = EarlierLane(
            policy_digest=body["policy_digest"], cutoff=datetime.fromisoformat(body["cutoff"])
        )

    def run(self, authority: Authority | None, approved: Mapping[tuple[str, Scope], int]) -> None:
        """Look at the accounts; with an authority, erase those that may go."""
        rows = {
            parse_id(row.subject, len(self.prepared.compiled.accounts.id_columns)): row
            for row in self.line.erasures
            if not self.result.is_part(row) and not self.result.is_going(row)
        }
        keys = self._eligible(rows)
        for key in keys:
            self.result.go(rows[key])
        if authority is None or not keys:
            self.result.add(self._tenant, self._scope, len(keys), self._shown)
            return
        erased = self._erase(keys, rows, approved.get((self._tenant, self._scope)))
        self.result.add(self._tenant, self._scope, erased, self._shown)

    def _eligible(self, rows: Mapping[Key, Erasure]) -> list[Key]:
        """Accounts that are there and no more active than when they were erased."""
        compiled, found = self.prepared.compiled, []
        if not rows:
            return []
        with self.context.writing(self.conn) as session:
            bound = compiled.accounts.activity.bound(self._shown.cutoff)
            there = accounts.present(session, compiled, self._tenant, list(rows), bound)
            keys = [key for key, row in rows.items() if row.subject in there]
            looked = self._look(session, keys)
            lost = remains.lost(
                session, compiled, self._tenant, self._scope, looked=looked, keys=keys
            )
            began = transactions.newest(session, compiled, self._tenant, keys)
        self.result.gone += len(rows) - len(keys)
        for key in keys:
            row, now = rows[key], there[rows[key].subject]
            blocked = block(key, looked[row.subject])
            if self.result.is_held(row):
                self.result.keep(row, "hold")
            elif row.subject in lost:
                self.result.keep(row, lost[row.subject])
            elif not has_credentials(looked[row.subject], self._scope):
                self.result.gone += 1
            elif not now.due or is_later(now.active_at, row.last_activity):
                said = f"active since: last at {now.active_at}, erased with {row.last_activity}"
                self.result.keep(row, said)
            elif row.subject in began and is_later(began[row.subject], row.erased_at):
                said = f"a transaction began since: at {began[row.subject]}"
                self.result.keep(row, f"{said}, erased {row.erased_at}")
            elif blocked is not None:
                self.result.keep(row, blocked.reason.replace("_", " "))
            else:
                found.append(key)
        return found

    def _look(self, session: Session, keys: Sequence[Key]) -> dict[str, accounts.Found]:
        if not keys:
            return {}
        compiled, cutoff = self.prepared.compiled, self._shown.cutoff
        looked = accounts.look(
            session,
            compiled,
            self._tenant,
            self._scope,
            keys,
            cutoff=cutoff,
            now=self.context.clock(),
            max_units=1,
        )
        looked = accounts.living(session, compiled, self._tenant, looked, cutoff=cutoff)
        now = self.context.clock()
        return holds.on_hold(session, compiled, self._tenant, looked, keys, now)

    def _erase(self, keys: Sequence[Key], rows: Mapping[Key, Erasure], approval: int | None) -> int:
        """In one batch; where that fails, in halves, down to the account that cannot go."""
        try:
            with writing(self.conn):
                outcome = self._batch(keys, approval).run()
        except StatementFailed as exc:
            if len(keys) == 1:
                self.result.keep(rows[keys[0]], str(exc))
                return 0
            middle = len(keys) // 2
            return self._erase(keys[:middle], rows, approval) + self._erase(
                keys[middle:], rows, approval
            )
        if outcome.stop is not None:
            raise GuardRefused(f"tenant {self._tenant!r}: {outcome.reason}: replay again then")
        if outcome.accounts < len(keys):
            self._keep_left(keys, rows)
        return outcome.accounts

    def _keep_left(self, keys: Sequence[Key], rows: Mapping[Key, Erasure]) -> None:
        with self.context.writing(self.conn) as session:
            left = self._look(session, keys)
        for key in keys:
            found = left.get(rows[key].subject)
            if found is not None and has_credentials(found, self._scope):
                self.result.keep(rows[key], "locked by somebody else: there is traffic")

    def _batch(self, keys: Sequence[Key], approval: int | None) -> Batch:
        context, prepared = self.context, self.prepared
        deadline = Deadline(context.monotonic, _DEADLINE_MS)
        task = BatchTask(
            session=Session(self.conn, context.settings.schema_name, deadline),
            compiled=prepared.compiled,
            rules=LaneRules(
                sweep=None,
                tenant_id=self._tenant,
                scope=self._scope,
                cutoff=self._shown.cutoff,
                now=context.clock(),
                policy_digest=self._shown.policy_digest,
                map_digest=prepared.map_digest(self._scope),
                approval=approval,
                source=REPLAY,
            ),
            source=CandidatesFrom(name=CandidatesFrom.BEHIND, keys=tuple(keys)),
            limit=len(keys),
            max_units=_MOST_UNITS,
            permit=len(keys),
            prove=True,
            at=context.clock(),
            object_grace=context.settings.object_grace,
        )
        return Batch(task=task)
