"""Deletes the objects whose rows are gone, store by store, and says so in the ledger."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

import structlog

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.domain.datamap import DataMap
from retention_worker.domain.errors import RetentionWorkerError
from retention_worker.domain.object import GONE, DrainReport, ObjectState, Result, Verdict
from retention_worker.objects import Deleted, Store, Stores, address_of
from retention_worker.objects.throttle import Throttle
from retention_worker.service.gone import Completion
from retention_worker.service.subject import patient
from retention_worker.service.worker import Worker
from retention_worker.store import live
from retention_worker.store import objects as outbox
from retention_worker.store.mapsql import CompiledMap, compile_map
from retention_worker.store.migrations import check
from retention_worker.store.objects import Claimed, PutBack
from retention_worker.store.pool import Connection, reading, writing
from retention_worker.store.session import Session

__all__ = ["DrainProgress", "drain", "drain_after_sweep", "open_stores"]

_log = structlog.get_logger()

DrainProgress = Callable[[int, int], None]
"""Told how many objects are gone so far, and how many there were in all."""

# What is in hand is free again for others so long after the time that a request and its one
# repetition may take: a drain that was killed holds nothing back for longer.
_MARGIN_SECONDS = 5
_FIRST_RETRY = timedelta(seconds=30)
_LAST_RETRY = timedelta(hours=1)
# So often an object fails by itself, while its store answers, before a person has to look.
_ATTEMPTS = 20
# A lock of the store ends some day, a right is given: nobody has to remember to ask again.
_DENIED_AGAIN = timedelta(days=1)
_KEPT_AGAIN = timedelta(hours=1)
# URIs that are forgotten in one pass.
_FORGET = 10_000


def open_stores(worker: Worker) -> Stores:
    """The stores as the settings have them; nothing is connected yet."""
    settings = worker.settings
    return Stores(
        timeout=settings.object_timeout_seconds,
        connections=settings.object_concurrency,
        files_root=settings.object_files_root,
        throttle=Throttle(settings.object_rate, worker.monotonic, worker.stop.wait),
    )


def drain(
    worker: Worker, *, wait: bool = False, progress: DrainProgress | None = None
) -> DrainReport:
    """Delete every object whose time has come, once.

    Args:
        worker: the parts.
        wait: for what another drain has in hand, because it may have died.
        progress: told after each request.

    Raises:
        ConfigurationError: the data map is wrong or does not fit, so that nobody can tell whether
            a row still names an object; nothing is deleted.
        DatabaseUnavailable: no connection, or lost. What was deleted is asked for again.
    """
    with worker.pool.connection() as conn:
        check(conn, worker.settings.schema_name)
        if not worker.settings.object_drain:
            return DrainReport(drained=False, left=_left(worker, conn))
        run = _Drain(worker=worker, conn=conn, stores=open_stores(worker), progress=progress)
        run.all()
        if wait and run.wait_for_others():
            run.all()
        return run.report()


def drain_after_sweep(
    worker: Worker, progress: DrainProgress | None = None
) -> tuple[DrainReport | None, str | None]:
    """Drain, and never lose the sweep: the report, or what went wrong."""
    try:
        return drain(worker, wait=True, progress=progress), None
    except RetentionWorkerError as exc:
        _log.warning("objects_not_drained", error=str(exc))
        return None, str(exc)


def _left(worker: Worker, conn: Connection) -> dict[str, int]:
    with reading(conn):
        counts = outbox.counts(Session(conn, worker.settings.schema_name))
    return {state.value: number for state, number in counts.items()}


@dataclass(kw_only=True)
class _Drain:
    worker: Worker
    conn: Connection
    stores: Stores
    progress: DrainProgress | None
    deleted: int = 0
    down: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._total = 0
        if self.progress is not None:
            self._total = sum(_left(self.worker, self.conn).values())

    @property
    def _in_hand(self) -> timedelta:
        """How long a claim is this drain's alone; two at once would only do the same twice."""
        seconds = 2 * self.worker.settings.object_timeout_seconds + _MARGIN_SECONDS
        return timedelta(seconds=seconds)

    @cached_property
    def _datamap(self) -> DataMap:
        """Read when there is something to do: most passes have nothing."""
        return load_datamap(self.worker.settings.config_dir).datamap

    @cached_property
    def _compiled(self) -> CompiledMap:
        return compile_map(self.conn, self._datamap, self.worker.settings.schema_name)

    @cached_property
    def _completion(self) -> Completion:
        return Completion(
            map_digests=self._datamap.digest,
            keep_uri=self.worker.settings.object_sample_days > 0,
        )

    def all(self) -> None:
        """Every store with something to do, one after the other."""
        now = self.worker.clock()
        with writing(self.conn):
            session = self._session()
            names = outbox.stores(session, now)
            before = now - timedelta(days=self.worker.settings.object_sample_days)
            outbox.forget_uris(session, before, _FORGET)
        for name in names:
            if self.worker.stop.is_set():
                return
            with structlog.contextvars.bound_contextvars(store=name):
                self._store(name)

    def wait_for_others(self) -> bool:
        """Wait until nobody has anything in hand, or whoever had is given up; True: look again."""
        end = self.worker.monotonic() + self._in_hand.total_seconds() + 1
        waited = False
        while self.worker.monotonic() < end:
            with reading(self.conn):
                until = outbox.in_hand(self._session(), self.worker.clock())
            if until is None:
                return waited
            waited = True
            if self.worker.stop.wait(0.5):
                return False
        return waited

    def report(self) -> DrainReport:
        """What was done, and what is left."""
        left = _left(self.worker, self.conn)
        report = DrainReport(drained=True, deleted=self.deleted, left=left, down=self.down)
        level = _log.warning if report.exit_code else _log.info
        if self.deleted or report.exit_code:
            level("objects_drained", deleted=self.deleted, left=left, stores_down=len(self.down))
        return report

    def _session(self) -> Session:
        return patient(self.worker, self.conn)

    def _store(self, name: str) -> None:
        store = self.stores.get(name)
        if store is not None:
            with ThreadPoolExecutor(self.worker.settings.object_concurrency) as threads:
                while not self.worker.stop.is_set() and name not in self.down:
                    if not self._page(name, store, threads):
                        return
            return
        while not self.worker.stop.is_set():
            claimed = self._claim(name, 1_000)
            if not claimed:
                return
            verdict = Verdict(result=Result.FAILED, error="no store for such a URI")
            self._settle([(each, verdict) for each in claimed])

    def _page(self, name: str, store: Store, threads: ThreadPoolExecutor) -> bool:
        """One claim; False at the end of the store."""
        claimed = self._claim(name, store.chunk * self.worker.settings.object_concurrency)
        if not claimed:
            return False
        rest = self._sort_out(claimed)
        for some, answer in _ask(store, rest, threads):
            if answer.down is not None and name not in self.down:
                self.down[name] = answer.down
                _log.warning("object_store_down", error=answer.down)
            self._settle([(each, _verdict_of(each, answer)) for each in some])
            self._tell()
        return True

    def _claim(self, name: str, limit: int) -> list[Claimed]:
        now = self.worker.clock()
        with writing(self.conn):
            return outbox.claim(
                self._session(), name, now=now, until=now + self._in_hand, limit=limit
            )

    def _sort_out(self, claimed: Sequence[Claimed]) -> list[Claimed]:
        """Keep what a live row names, and what is no address; the rest comes back."""
        uris: dict[str, list[str]] = {}
        for each in claimed:
            uris.setdefault(each.tenant_id, []).append(each.uri)
        with reading(self.conn):  # it may read long, and nothing waits for it
            session = Session(self.conn, self.worker.settings.schema_name)
            kept = live.named(session, self._compiled, uris)
        self._keep([each for each in claimed if each.uri in kept])
        wrong = Verdict(result=Result.FAILED, error="no address of an object")
        rest = [each for each in claimed if each.uri not in kept]
        self._settle([(each, wrong) for each in rest if address_of(each.uri) is None])
        return [each for each in rest if address_of(each.uri) is not None]

    def _keep(self, objects: Sequence[Claimed]) -> None:
        if not objects:
            return
        now = self.worker.clock()
        new = sum(1 for each in objects if each.state is not ObjectState.KEPT)
        if new:
            _log.warning("objects_kept", objects=new, reason="a row still names them")
        with writing(self.conn):
            outbox.put_back(
                self._session(),
                [
                    PutBack(
                        id=each.id,
                        state=ObjectState.KEPT,
                        error="a row still names it",
                        attempts=0,
                        retry_at=now + _KEPT_AGAIN,
                    )
                    for each in objects
                ],
                now,
            )

    def _settle(self, answers: Sequence[tuple[Claimed, Verdict | None]]) -> None:
        """One transaction: what is gone goes into the ledger, the rest back into the outbox."""
        if not answers:
            return
        now = self.worker.clock()
        gone = [each for each, verdict in answers if verdict == GONE]
        back = [_put_back(each, verdict, now) for each, verdict in answers if verdict != GONE]
        with writing(self.conn):
            session = self._session()
            self.deleted += self._completion.write(session, gone, now)
            outbox.put_back(session, back, now)
        stuck = Counter((each.state, each.error) for each in back if each.state.needs_person)
        for (state, error), number in stuck.items():
            _log.warning(f"objects_{state}", objects=number, error=error)

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.deleted, max(self._total, self.deleted))


def _ask(
    store: Store, objects: Sequence[Claimed], threads: ThreadPoolExecutor
) -> Iterator[tuple[list[Claimed], Deleted]]:
    """Delete in chunks, several at once; answers come as they are had."""
    by_key: dict[str, list[Claimed]] = {}
    for each in objects:
        address = address_of(each.uri)
        assert address is not None
        by_key.setdefault(address.key, []).append(each)
    keys = list(by_key)
    chunks = [keys[at : at + store.chunk] for at in range(0, len(keys), store.chunk)]
    waiting: Mapping[Future[Deleted], list[str]] = {
        threads.submit(store.delete, chunk): chunk for chunk in chunks
    }
    for done in as_completed(waiting):
        yield [each for key in waiting[done] for each in by_key[key]], done.result()


def _verdict_of(each: Claimed, answer: Deleted) -> Verdict | None:
    """What the store said of an object; None where it could not be asked."""
    address = address_of(each.uri)
    return answer.verdicts.get(address.key) if address is not None else None


def _put_back(each: Claimed, verdict: Verdict | None, now: datetime) -> PutBack:
    if verdict is None:
        # The store is at fault and not the object: asked again soon, and that was no attempt.
        return PutBack(
            id=each.id,
            state=each.state,
            error="the store is down",
            attempts=each.attempts - 1,
            retry_at=now + _backoff(1),
        )
    state, again = ObjectState.QUEUED, _backoff(each.attempts)
    if verdict.result is Result.DENIED:
        state, again = ObjectState.DENIED, _DENIED_AGAIN
    elif verdict.result is Result.FAILED or each.attempts >= _ATTEMPTS:
        state = ObjectState.FAILED
    return PutBack(
        id=each.id,
        state=state,
        error=verdict.error,
        attempts=each.attempts,
        retry_at=now + again,
    )


def _backoff(attempts: int) -> timedelta:
    """Later each time, and not all at the same moment."""
    pause: timedelta = min(_FIRST_RETRY * 2 ** min(attempts - 1, 12), _LAST_RETRY)
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, hides nothing
