"""Ad-hoc erasures of a process that answers requests: noted at once, finished in the background.

The background belongs to this process alone. If it ends in between, `run` and `sweep` find the
request and finish it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from retention_worker import metrics
from retention_worker.domain.errors import GuardRefused, NotFinished, RetentionWorkerError
from retention_worker.service.config import Prepared, prepare
from retention_worker.service.context import Context
from retention_worker.service.request.erase import RequestedErasure, note
from retention_worker.service.request.request import DoneRequest, RequestRun
from retention_worker.store.own.requests import Request

_log = structlog.get_logger()

# With as many again that note, half of the pool: reads always find a connection.
_AT_ONCE = 3
# Of one actor, noted and not finished: who asks for more is told to wait.
_MOST = 100
# What waits longer for its turn looks at the files and the catalog again.
_FRESH_SECONDS = 5.0
# Less than a client waits for its answer.
_TURN_SECONDS = 4.0


class TooManyErrands(GuardRefused):
    """So much is under way that nothing more is taken on."""


@dataclass(frozen=True, kw_only=True)
class NotedRequest:
    """A request that is noted.

    `end` is done when this process has nothing more to do for it: with None where it is erased,
    else with what stopped it. It raises nothing.
    """

    tenant_id: str
    request: int
    end: Future[RetentionWorkerError | None]


class Errands:
    """Notes and finishes what is asked for; the same asked for at the same time only once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="erasing")
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._lock = threading.Lock()
        self._noting: dict[RequestedErasure, Future[NotedRequest]] = {}
        self._in_hand: dict[int, tuple[str, NotedRequest]] = {}

    def begin(self, wanted: RequestedErasure) -> NotedRequest:
        """Note it, and begin with it.

        Raises:
            TooManyErrands: the actor has a hundred that are not finished, or no turn came in time.
            RetentionWorkerError: as `service.erase.note`; nothing was noted.
        """
        with self._lock:
            future = self._noting.get(wanted)
            is_first = future is None
            if future is None:
                future = self._noting[wanted] = Future()
        if is_first:
            try:
                future.set_result(self._begin(wanted))
            except BaseException as exc:
                future.set_exception(exc)
            finally:
                with self._lock:
                    del self._noting[wanted]
        return future.result()

    def close(self) -> None:
        """Wait for the batches in hand; what is not finished then stays noted."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _begin(self, wanted: RequestedErasure) -> NotedRequest:
        with self._lock:
            if sum(actor == wanted.actor for actor, _ in self._in_hand.values()) >= _MOST:
                raise TooManyErrands("the client has many deletions that are not finished")
        with self._turn(), self._context.pool.connection() as conn:
            prepared, at = prepare(self._context, conn), self._context.monotonic()
            found = note(self._context, conn, prepared, wanted)
        if isinstance(found, DoneRequest):
            end: Future[RetentionWorkerError | None] = Future()
            end.set_result(None)
            return NotedRequest(tenant_id=found.tenant_id, request=found.request, end=end)
        return self._start(found, wanted.actor, prepared, at)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=_TURN_SECONDS):
            raise TooManyErrands("many deletions are being noted")
        try:
            yield
        finally:
            self._turns.release()

    def _start(self, request: Request, actor: str, prepared: Prepared, at: float) -> NotedRequest:
        with self._lock:
            if request.id in self._in_hand:
                return self._in_hand[request.id][1]
            begun = NotedRequest(tenant_id=request.tenant_id, request=request.id, end=Future())
            self._in_hand[request.id] = (actor, begun)
        metrics.DELETIONS_IN_HAND.inc()
        try:
            self._threads.submit(self._finish, request, begun, prepared, at)
        except RuntimeError:  # the process stops
            self._end(begun, NotFinished("the process stops"))
        return begun

    def _finish(self, request: Request, begun: NotedRequest, prepared: Prepared, at: float) -> None:
        context, error = self._context, None
        try:
            with context.pool.connection() as conn:
                if context.monotonic() - at > _FRESH_SECONDS:
                    prepared = prepare(context, conn)
                RequestRun(context, conn, prepared, request).finish()
        except RetentionWorkerError as exc:
            error = exc
            _log.warning("request_not_finished", request=request.id, error=str(exc))
        except Exception as exc:
            error = NotFinished("a defect stopped it")
            _log.error("request_crashed", request=request.id, error=type(exc).__name__)
        finally:
            self._end(begun, error)

    def _end(self, begun: NotedRequest, error: RetentionWorkerError | None) -> None:
        with self._lock:
            del self._in_hand[begun.request]
        metrics.DELETIONS_IN_HAND.dec()
        begun.end.set_result(error)
