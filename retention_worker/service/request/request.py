"""Finishes one ad-hoc request, by the sweep's own lock, erase and ledger path."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from retention_worker.domain.document import in_json
from retention_worker.domain.errors import (
    BatchTimeout,
    IncompleteErasure,
    NotFinished,
    OnHold,
    UnknownSubject,
)
from retention_worker.domain.instant import stamp
from retention_worker.domain.ledger.chain import BatchRecord
from retention_worker.domain.ledger.erasure import is_later, later_of
from retention_worker.domain.scope import Scope
from retention_worker.service.config import Prepared
from retention_worker.service.context import Context
from retention_worker.service.due.eligibility import block, has_credentials, still_there
from retention_worker.service.eraser import Eraser
from retention_worker.store.connection.keys import Key, Part, id_text, parse_id
from retention_worker.store.connection.pool import Connection, writing
from retention_worker.store.connection.session import Deadline, Session
from retention_worker.store.ledger import ledger
from retention_worker.store.mapped import accounts, credentials, remains, transactions
from retention_worker.store.mapped.accounts import Found, Locked
from retention_worker.store.mapped.credentials import Counts
from retention_worker.store.mapped.transactions import Owned
from retention_worker.store.own import holds, requests
from retention_worker.store.own.requests import Request

_log = structlog.get_logger()

ACCOUNT = "account"
TRANSACTION = "transaction"
# So many locks and time-outs in a row, and `run` or `sweep` go on with the request later.
_ATTEMPTS = 20
# So often a large account is gone through again before it is said that something keeps its rows.
_WALKS = 3


@dataclass(frozen=True, kw_only=True)
class DoneRequest:
    """A request that is done.

    `again`: it had been done before, at `finished_at`, and nothing has come since.
    """

    request: int
    tenant_id: str
    kind: str
    subject: str = field(metadata=in_json("id"))
    scope: Scope
    requested_at: datetime
    finished_at: datetime
    again: bool
    rows: dict[str, int] = field(default_factory=dict)
    objects_queued: int = 0


def refuse_hold(found: Found) -> None:
    """A hold wins over everything.

    Raises:
        OnHold: the account has an active one.
    """
    if found.hold is not None:
        until = "it is released" if found.hold == "infinity" else found.hold
        raise OnHold(
            f"account {found.id} is on hold until {until}: nothing was erased: "
            "release the hold first"
        )


@dataclass
class RequestRun:
    """Finishes one request, batch after batch."""

    context: Context
    conn: Connection
    prepared: Prepared
    request: Request

    def __post_init__(self) -> None:
        self._compiled = self.prepared.compiled
        self._limit = self.context.settings.batch_max_transactions
        self._rows: dict[str, int] = {}
        self._objects = 0
        self._walks = 0
        self._finished_at: datetime | None = None
        self._lost: str | None = None
        self._refused: str | None = None

    def finish(self) -> DoneRequest:
        """Until it is done; a lock or a time-out is tried again, in smaller parts.

        Raises:
            NotFinished: rows are locked for long, or cannot be reached, or the process is told to
                stop.
            OnHold: since it was noted, the account was put on hold.
        """
        failures = 0
        while failures < _ATTEMPTS and not self.context.stop.is_set():
            try:
                with writing(self.conn):
                    done = self._batch()
            except BatchTimeout as exc:
                failures += 1
                self._limit = max(1, self._limit // 2)
                _log.info("request_batch_rolled_back", request=self.request.id, error=str(exc))
                self.context.stop.wait(0.05 * failures)
                continue
            failures = 0
            if self._refused is not None:
                raise NotFinished(f"request {self.request.id} was not carried out: {self._refused}")
            if done:
                return self._erased()
            if self._lost is not None:
                raise self._not_finished(self._lost)
        raise self._not_finished(
            "rows that are locked" if failures == _ATTEMPTS else "a process that stops"
        )

    def _not_finished(self, reason: str) -> NotFinished:
        return NotFinished(
            f"request {self.request.id} is noted and not finished, because of {reason}: "
            "`run` and `sweep` go on with it"
        )

    def _erased(self) -> DoneRequest:
        request = self.request
        return DoneRequest(
            request=request.id,
            tenant_id=request.tenant_id,
            kind=request.kind,
            subject=request.subject_id,
            scope=request.scope,
            requested_at=request.requested_at,
            finished_at=self._finished_at or self.context.clock(),
            again=False,
            rows=self._rows,
            objects_queued=self._objects,
        )

    def _batch(self) -> bool:
        """A transaction; True where the request is done. Refused by a hold: that is kept."""
        request, now = self.request, self.context.clock()
        deadline = Deadline(self.context.monotonic, self.context.settings.batch_deadline_ms)
        session = Session(self.conn, self.context.settings.schema_name, deadline)
        current = requests.lock(session, request.id)
        if current is None:  # another process has finished it
            return True
        key = parse_id(current.account_id, self._compiled.id_width)
        locked = accounts.lock_waiting(session, self._compiled, request.tenant_id, key)
        if locked is None:
            requests.finish(session, request.id, "refused", "the account is gone", now)
            return True
        found = self._look(session, key, current.not_after)
        refuse_hold(found)
        if since := self._active_since(session, current, locked, found):
            # Whoever asks for it again decides anew.
            requests.finish(session, request.id, "refused", since, now)
            self._refused = since
            return True
        return self._erase(session, current, key, locked, found)

    def _active_since(
        self, session: Session, current: Request, locked: Locked, found: Found
    ) -> str | None:
        """What is younger than a request that is for older things alone, such as a replay's."""
        if current.not_after is None:
            return None
        limit = stamp(current.not_after)
        key = parse_id(found.id, self._compiled.id_width)
        ats = [locked.active_at]
        if current.kind == ACCOUNT:
            newest = transactions.newest(session, self._compiled, current.tenant_id, [key])
            ats += newest.values()
        if any(is_later(at, limit) for at in ats) or block(key, found) is not None:
            return f"it was active since {limit}, so that it may be somebody else's by now"
        return None

    def _erase(
        self, session: Session, current: Request, key: Key, locked: Locked, found: Found
    ) -> bool:
        request, now = self.request, self.context.clock()
        part = self._part(session, current, key, found)
        # The chain before the number: numbers grow along a chain.
        previous = requests.lock_chain(session, request.tenant_id)
        eraser = Eraser(
            session=session,
            compiled=self._compiled,
            tenant_id=request.tenant_id,
            scope=request.scope,
            batch=ledger.next_batch(session),
            at=now,
            object_grace=self.context.settings.object_grace,
        )
        eraser.remember([key], {locked.id: locked}, {found.id: found}, self._remembering(), now)
        transaction = request.subject_key if request.kind == TRANSACTION else None
        counts = eraser.erase([key], part=part, transaction=transaction).counts()
        complete = part is None or part.name is None
        if complete and part is not None and self._walks_again(session, key):
            complete, part = False, None
        if complete:
            self._prove(eraser, key, locked)
            complete, part = self._lost is None, None
        if complete or counts.rows:
            active_at = later_of(locked.active_at, found.latest_activity)
            self._write(eraser, previous, counts, active_at, complete=complete)
        self._add(counts)
        if not complete:
            requests.set_progress(session, request.id, part, self._lost)
            return False
        requests.finish(session, request.id, "done", None, now)
        self._finished_at = now
        return True

    def _part(self, session: Session, current: Request, key: Key, found: Found) -> Part | None:
        """The stretch of a large account; None where all of it goes at once."""
        if self.request.kind == TRANSACTION:
            return None
        if current.done is None and found.units <= self._limit:
            return None
        return credentials.next_part(
            session,
            self._compiled,
            self.request.tenant_id,
            key,
            done=current.done,
            limit=self._limit,
        )

    def _walks_again(self, session: Session, key: Key) -> bool:
        """Whether rows came where the parts of a large account, which lives on, had been."""
        if self._walks == _WALKS or not has_credentials(
            self._look(session, key), self.request.scope
        ):
            return False
        self._walks += 1
        return True

    def _remembering(self) -> Collection[Scope]:
        """The lanes in which something of the account stays."""
        if self.request.kind == ACCOUNT:
            return () if self.request.scope is Scope.ALL else (Scope.ALL,)
        return tuple(Scope)

    def _prove(self, eraser: Eraser, key: Key, locked: Locked) -> None:
        """Nothing is left but what cannot be reached, and erasing was no activity."""
        eraser.refuse_activity([key], {locked.id: locked})
        left = eraser.left([key], self._owned(eraser.session, key))
        self._lost = remains.unreachable(left)
        if left and self._lost is None:
            raise IncompleteErasure(still_there(left))

    def _owned(self, session: Session, key: Key) -> Owned | None:
        """The transaction that was asked for, where one was."""
        if self.request.kind != TRANSACTION:
            return None
        owned = Owned(key=self.request.subject_key, account_key=key)
        if not transactions.belongs(session, self._compiled, self.request.tenant_id, owned):
            raise UnknownSubject("the transaction belongs to another account by now: ask again")
        return owned

    def _write(
        self,
        eraser: Eraser,
        previous: str | None,
        counts: Counts,
        active_at: str | None,
        *,
        complete: bool,
    ) -> None:
        request = self.request
        record = BatchRecord(
            batch=eraser.batch,
            sweep=None,
            request=request.id,
            tenant=request.tenant_id,
            scope=request.scope,
            source=request.source,
            cutoff=None,
            policy_digest=None,
            map_digest=self.prepared.map_digest(request.scope),
            accounts=int(complete and request.kind == ACCOUNT),
            counts=counts.rows,
            objects=counts.objects,
            erased_at=eraser.at,
            erasures="",
            previous=previous,
        )
        subjects = [(request.subject_id, active_at)]
        head = ledger.write(eraser.session, record, subjects, kind=request.kind, complete=complete)
        requests.set_chain_head(eraser.session, request.tenant_id, eraser.batch, head)

    def _look(self, session: Session, key: Key, cutoff: datetime | None = None) -> Found:
        now = self.context.clock()
        looked = accounts.look(
            session,
            self._compiled,
            self.request.tenant_id,
            self.request.scope,
            [key],
            cutoff=cutoff,
            now=now,
            max_units=self._limit + 1,
        )
        looked = holds.on_hold(session, self._compiled, self.request.tenant_id, looked, [key], now)
        return looked[id_text(key)]

    def _add(self, counts: Counts) -> None:
        self._objects += counts.objects
        for name, number in counts.rows.items():
            self._rows[name] = self._rows.get(name, 0) + number
