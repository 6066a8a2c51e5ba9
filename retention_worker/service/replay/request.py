"""Erases again what a request had erased: only what is no younger than that erasure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from retention_worker.domain.errors import RetentionWorkerError, UnknownSubject
from retention_worker.domain.ledger.erasure import Erasure, is_later, padded
from retention_worker.domain.ledger.export import ExportLine
from retention_worker.domain.policy.period import Period
from retention_worker.domain.scope import Scope
from retention_worker.service.config import Prepared
from retention_worker.service.context import Context
from retention_worker.service.due.eligibility import block
from retention_worker.service.replay.outcome import Authority, Replay
from retention_worker.service.request.request import TRANSACTION, RequestRun
from retention_worker.store.connection.keys import Key, id_text, parse_id
from retention_worker.store.connection.pool import Connection
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts, remains, transactions
from retention_worker.store.own import holds, requests
from retention_worker.store.own.requests import Request

# As for every request: the law's month.
_TIME_TO_ANSWER = Period(months=1)


@dataclass(frozen=True, kw_only=True)
class _Subject:
    key: Key
    account_key: Key


@dataclass
class RequestReplay:
    """Replays an ad-hoc batch that the export has and the ledger has not.

    An account that was active after the erasure may have rows that are younger than it: then
    nothing of it goes, and a person decides.
    """

    context: Context
    conn: Connection
    prepared: Prepared
    line: ExportLine
    result: Replay

    def run(self, authority: Authority | None, file: str) -> None:
        """Look at the subjects; with an authority, erase those that may go."""
        for row in self.line.erasures:
            if self.result.is_part(row) or self.result.is_going(row):
                continue
            with self.context.writing(self.conn) as session:
                subject = self._eligible(session, row)
                if subject is None:
                    continue
                self.result.go(row)
                if authority is None:
                    self.result.add(row.tenant, Scope(row.scope), 1)
                    continue
                request = self._note(session, row, subject, authority, file)
            self._finish(row, request)

    def _finish(self, row: Erasure, request: Request) -> None:
        try:
            RequestRun(self.context, self.conn, self.prepared, request).finish()
        except RetentionWorkerError as exc:
            self.result.keep(row, str(exc))
            return
        self.result.add(row.tenant, Scope(row.scope), 1)

    def _eligible(self, session: Session, row: Erasure) -> _Subject | None:
        subject = self._find(session, row)
        left = self._left(session, row, subject) if subject is not None else []
        if subject is None or not left:
            self.result.gone += 1
            return None
        if self.result.is_held(row):
            self.result.keep(row, "hold")
            return None
        if (lost := remains.unreachable(left)) is not None:
            self.result.keep(row, lost)
            return None
        if (since := self._since(session, row, subject)) is not None:
            self.result.keep(row, since)
            return None
        return subject

    def _since(self, session: Session, row: Erasure, subject: _Subject) -> str | None:
        """Whether it lived on after the erasure, by the look that every erasure goes through."""
        compiled, key = self.prepared.compiled, subject.account_key
        if row.kind == TRANSACTION:
            shown = transactions.show(session, compiled, row.tenant, row.subject, None)
            if shown.created_at is not None and shown.created_at > _at(row):
                return "its id was given anew: it began after the erasure"
        now = accounts.present(session, compiled, row.tenant, [key], self._bound())
        active_at = now[id_text(key)].active_at
        if is_later(active_at, row.erased_at):
            return f"its account was active since: last at {active_at}, erased {row.erased_at}"
        began = transactions.newest(session, compiled, row.tenant, [key]).get(id_text(key))
        if row.kind != TRANSACTION and began is not None and is_later(began, row.erased_at):
            return f"a transaction began since: at {began}, erased {row.erased_at}"
        looked = accounts.look(
            session,
            compiled,
            row.tenant,
            Scope(row.scope),
            [key],
            cutoff=_at(row),
            now=self.context.clock(),
            max_units=1,
        )
        looked = accounts.living(session, compiled, row.tenant, looked, cutoff=_at(row))
        looked = holds.on_hold(session, compiled, row.tenant, looked, [key], self.context.clock())
        blocked = block(key, looked[id_text(key)])
        return blocked.reason.replace("_", " ") if blocked is not None else None

    def _bound(self) -> str:
        return self.prepared.compiled.accounts.activity.bound(self.context.clock())

    def _find(self, session: Session, row: Erasure) -> _Subject | None:
        compiled = self.prepared.compiled
        if row.kind == TRANSACTION:
            try:
                owned = transactions.find(session, compiled, row.tenant, row.subject)
            except UnknownSubject:
                return None
            return _Subject(key=owned.key, account_key=owned.account_key)
        key = parse_id(row.subject, compiled.id_width)
        there = accounts.present(session, compiled, row.tenant, [key], self._bound())
        return _Subject(key=key, account_key=key) if row.subject in there else None

    def _left(self, session: Session, row: Erasure, subject: _Subject) -> list[remains.Remains]:
        """By the look that an erasure is complete by: what of it is there."""
        known = (session, self.prepared.compiled, row.tenant, Scope(row.scope))
        if row.kind == TRANSACTION:
            owned = transactions.Owned(key=subject.key, account_key=subject.account_key)
            return remains.of_transaction(*known, owned)
        return remains.of_accounts(*known, [subject.key])

    def _note(
        self, session: Session, row: Erasure, subject: _Subject, authority: Authority, file: str
    ) -> Request:
        now = self.context.clock()
        return requests.add(
            session,
            row.tenant,
            kind=row.kind,
            subject=(row.subject, subject.key),
            account_id=id_text(subject.account_key),
            scope=Scope(row.scope),
            source="cli",
            actor=authority.actor,
            reason=f"replay of {file}: {authority.reason}",
            requested_at=now,
            due_by=_TIME_TO_ANSWER.due_at(now),
            not_after=_at(row),
        )


def _at(row: Erasure) -> datetime:
    """When it was erased."""
    return datetime.fromisoformat(padded(row.erased_at))
