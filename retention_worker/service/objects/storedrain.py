"""Drains one store: claims its objects, asks for several chunks at once, notes what came of each.

While chunks are under way the next ones are claimed and the last ones noted, so that neither the
store nor the database waits for the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from retention_worker.domain.errors import StoreDown
from retention_worker.domain.objects.object import GONE, ObjectState, Result, StoreAnswer
from retention_worker.objects import Deleted, ObjectStore, address_of
from retention_worker.service.context import Context
from retention_worker.service.objects.completion import Completion
from retention_worker.service.objects.retry import kept, put_back
from retention_worker.service.objects.still_named import spelled
from retention_worker.store.connection.pool import Connection
from retention_worker.store.mapped import live
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.own import control
from retention_worker.store.own import objects as outbox
from retention_worker.store.own.objects import Claimed

_log = structlog.get_logger()

# What is in hand is free again for others so long after the time that a request and its one
# repetition may take: a drain that was killed holds nothing back for longer.
_MARGIN_SECONDS = 5
# Objects of no store that are put aside at once.
_PAGE = 1_000

_NAMED = "a row still names it"
_SPOKEN_FOR = "another account named it, too: its grace or its hold has not ended"
_NO_STORE = StoreAnswer(result=Result.FAILED, error="no store for such a URI")
_NO_ADDRESS = StoreAnswer(result=Result.FAILED, error="no address of an object")


def in_hand(context: Context) -> timedelta:
    """How long a claim is one drain's alone; two at once would only do the same twice."""
    return timedelta(seconds=2 * context.settings.object_timeout_seconds + _MARGIN_SECONDS)


@dataclass(kw_only=True)
class StoreDrain:
    """A pass over one store.

    Args:
        conn: a connection, not in a transaction.
        compiled: the data map, to ask which objects rows still name.
        completion: writes to the ledger.
        paused_tenants: whose files say so.
        name: of the store in the outbox.
        store: None where there is none of that kind.
    """

    context: Context
    conn: Connection
    compiled: CompiledMap
    completion: Completion
    paused_tenants: Sequence[str]
    name: str
    store: ObjectStore | None
    deleted: int = 0
    down: str | None = None
    _flying: dict[Future[Deleted], dict[str, list[Claimed]]] = field(default_factory=dict)
    _held_at: float = 0.0

    def run(self, tell: Callable[[int], None]) -> None:
        """Until nothing is left whose time has come, the store is down, or the process stops.

        Args:
            tell: told how many objects were noted as gone, each time.
        """
        if self.store is None:
            self._put_aside()
            return
        try:
            self.store.open()
        except StoreDown as exc:
            self._is_down(str(exc))
            return
        self._held_at = self.context.monotonic()
        with ThreadPoolExecutor(self.context.settings.object_concurrency) as threads:
            while self._fill(self.store, threads):
                before = self.deleted
                self._land()
                self._hold_on()
                tell(self.deleted - before)

    def _put_aside(self) -> None:
        while not self.context.stop.is_set() and (claimed := self._claim(_PAGE)):
            self._settle([(each, _NO_STORE) for each in claimed])

    def _fill(self, store: ObjectStore, threads: ThreadPoolExecutor) -> bool:
        """Have as many chunks under way as may be; False where none is."""
        while len(self._flying) < self.context.settings.object_concurrency:
            if self.down is not None or self.context.stop.is_set():
                break
            rate = self.context.settings.object_rate or store.chunk
            claimed = self._claim(min(store.chunk, rate))
            if not claimed:
                break
            by_key = self._sort_out(store, claimed)
            if by_key:
                self._flying[threads.submit(store.delete, list(by_key))] = by_key
        return bool(self._flying)

    def _land(self) -> None:
        """Note the chunks that are done, the first of them as soon as it is."""
        patience = self._renewal()
        for done in wait(self._flying, patience, return_when=FIRST_COMPLETED).done:
            by_key, answer = self._flying.pop(done), done.result()
            if answer.down is not None:
                self._is_down(answer.down)
            self._settle(
                [
                    (each, answer.verdicts.get(key))
                    for key, objects in by_key.items()
                    for each in objects
                ]
            )

    def _renewal(self) -> float:
        """Seconds after which what is under way is claimed anew."""
        return in_hand(self.context).total_seconds() / 3

    def _hold_on(self) -> None:
        """Keep in hand what takes long: many versions, a rate, a store that is slow."""
        if self.context.monotonic() - self._held_at < self._renewal():
            return
        self._held_at = self.context.monotonic()
        chunks = (objects for by_key in self._flying.values() for objects in by_key.values())
        ids = [each.id for objects in chunks for each in objects if not each.is_along]
        with self.context.patient(self.conn) as session:
            until = self.context.clock() + in_hand(self.context)
            outbox.hold_on(session, ids, until)

    def _is_down(self, error: str) -> None:
        if self.down is None:
            self.down = error
            _log.warning("object_store_down", error=error)

    def _claim(self, limit: int) -> list[Claimed]:
        now = self.context.clock()
        with self.context.patient(self.conn) as session:
            return outbox.claim(
                session,
                self.name,
                now=now,
                until=now + in_hand(self.context),
                limit=limit,
                paused=control.paused(session, now) is not None,
                paused_tenants=self.paused_tenants,
            )

    def _sort_out(self, store: ObjectStore, claimed: Sequence[Claimed]) -> dict[str, list[Claimed]]:
        """The objects to ask for, by key; what is still needed is kept, what is none put aside."""
        ways_of, uris = spelled(store, claimed)
        with self.context.reading(self.conn) as session:  # long it may be: nothing waits for it
            named = live.named(session, self.compiled, uris)
            ways = frozenset[str]().union(*ways_of.values())
            shared = any(sql.source.shared for sql in self.compiled.live)
            spoken_for = outbox.spoken_for(session, ways, self.context.clock(), shared=shared)
            along = outbox.same_objects(session, claimed)
        needed = {uri: _SPOKEN_FOR for uri, ways in ways_of.items() if ways & spoken_for}
        needed |= {uri: _NAMED for uri, ways in ways_of.items() if ways & named}
        for why in (_NAMED, _SPOKEN_FOR):
            self._keep([each for each in claimed if needed.get(each.uri) == why], why)
        by_key: dict[str, list[Claimed]] = {}
        wrong = []
        for each in (*claimed, *along):
            if each.uri in needed:
                continue
            address = address_of(each.uri)
            if address is None:
                wrong.append((each, _NO_ADDRESS))
            else:
                by_key.setdefault(address.key, []).append(each)
        self._settle(wrong)
        return by_key

    def _keep(self, objects: Sequence[Claimed], why: str) -> None:
        if not objects:
            return
        now = self.context.clock()
        new = sum(1 for each in objects if each.state is not ObjectState.KEPT)
        if new:
            _log.warning("objects_kept", objects=new, reason=why)
        with self.context.patient(self.conn) as session:
            outbox.put_back(session, [kept(each, why, now) for each in objects], now)

    def _settle(self, answers: Sequence[tuple[Claimed, StoreAnswer | None]]) -> None:
        """Note, in one transaction, what is gone in the ledger and the rest in the outbox."""
        if not answers:
            return
        now = self.context.clock()
        gone = [each for each, verdict in answers if verdict == GONE]
        back = [
            put_back(each, verdict, now)
            for each, verdict in answers
            if verdict != GONE and not each.is_along
        ]
        with self.context.patient(self.conn) as session:
            deleted = self.completion.write(session, gone, now)
            outbox.put_back(session, back, now)
        self.deleted += deleted
        stuck = Counter((each.state, each.error) for each in back if each.state.needs_person)
        for (state, error), number in stuck.items():
            _log.warning(_EVENTS[state], objects=number, error=error)


_EVENTS = {ObjectState.DENIED: "objects_denied", ObjectState.FAILED: "objects_failed"}
