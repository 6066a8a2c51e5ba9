"""Deletes the objects whose rows are gone, store by store, and says so in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

import structlog

from retention_worker import metrics
from retention_worker.configfiles.datamap import load_datamap
from retention_worker.configfiles.policies import load_policies
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.errors import RetentionWorkerError
from retention_worker.domain.objects.object import DrainReport, ObjectState
from retention_worker.domain.objects.uri import shown
from retention_worker.objects import ObjectStores
from retention_worker.objects.throttle import Throttle
from retention_worker.service.context import Context
from retention_worker.service.guard import guard
from retention_worker.service.objects.completion import Completion
from retention_worker.service.objects.storedrain import StoreDrain, in_hand
from retention_worker.store.connection.pool import Connection
from retention_worker.store.mapsql import CompiledMap, compile_map
from retention_worker.store.own import objects as outbox

_log = structlog.get_logger()

DrainProgress = Callable[[int, int], None]
"""Told how many objects are gone so far, and how many there were in all."""

# URIs that are forgotten in one pass.
_FORGET = 10_000


def open_stores(context: Context) -> ObjectStores:
    """The stores as the settings have them; nothing is connected yet."""
    settings = context.settings
    return ObjectStores(
        timeout=settings.object_timeout_seconds,
        connections=settings.object_concurrency,
        files_root=settings.object_files_root,
        throttle=Throttle(settings.object_rate, context.monotonic, context.stop.wait),
    )


def drain(
    context: Context, *, wait: bool = False, progress: DrainProgress | None = None
) -> DrainReport:
    """Delete every object whose time has come, once.

    Args:
        wait: for what another drain has in hand, because it may have died.
        progress: told after each request.

    Raises:
        ConfigurationError: the data map is wrong or does not fit, so that nobody can tell whether
            a row still names an object; nothing is deleted.
        GuardRefused: the clocks do not agree; nothing is deleted.
        DatabaseUnavailable: no connection, or lost. What was deleted is asked for again.
    """
    with context.pool.connection() as conn:
        context.check_schema(conn)
        if not context.settings.object_drain:
            return DrainReport(drained=False, left=_left(context, conn))
        # A clock that runs ahead would end a grace early, and take what another drain has in hand.
        guard.start_time(conn, context.clock, context.database_clock, context.settings)
        run = _Drain(context=context, conn=conn, stores=open_stores(context), progress=progress)
        run.all()
        if wait and run.wait_for_others():
            run.all()
        return run.report()


def drain_after_sweep(
    context: Context, progress: DrainProgress | None = None
) -> tuple[DrainReport | None, str | None]:
    """Drain, and never lose the sweep: the report, or what went wrong."""
    try:
        return drain(context, wait=True, progress=progress), None
    except RetentionWorkerError as exc:
        _log.warning("objects_not_drained", error=str(exc))
        return None, str(exc)


def _left(context: Context, conn: Connection) -> dict[str, int]:
    with context.reading(conn) as session:
        counts = outbox.counts(session)
    return {state.value: number for state, number in counts.items()}


@dataclass(kw_only=True)
class _Drain:
    context: Context
    conn: Connection
    stores: ObjectStores
    progress: DrainProgress | None
    deleted: int = 0
    down: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._total = self._told = 0
        if self.progress is not None:
            self._total = sum(_left(self.context, self.conn).values())

    @cached_property
    def _datamap(self) -> DataMap:
        """Read when there is something to do: most passes have nothing."""
        return load_datamap(self.context.settings.config_dir).datamap

    @cached_property
    def _compiled(self) -> CompiledMap:
        return compile_map(self.conn, self._datamap, self.context.settings.schema_name)

    @cached_property
    def _paused_tenants(self) -> list[str]:
        settings = self.context.settings
        policies = (
            file.policy
            for file in load_policies(settings.config_dir, settings.bounds).files.values()
        )
        return [policy.tenant_id for policy in policies if policy.paused]

    @cached_property
    def _completion(self) -> Completion:
        return Completion(
            map_digests=self._datamap.digest,
            keep_uri=self.context.settings.object_sample_days > 0,
        )

    def all(self) -> None:
        """Every store with something to do, one after the other."""
        now = self.context.clock()
        with self.context.patient(self.conn) as session:
            names = outbox.stores(session, now)
            before = now - timedelta(days=self.context.settings.object_sample_days)
            outbox.forget_uris(session, before, _FORGET)
        for name in names:
            if self.context.stop.is_set():
                return
            with structlog.contextvars.bound_contextvars(store=shown(name)):
                self._store(name)

    def wait_for_others(self) -> bool:
        """Wait until nobody has anything in hand, or whoever had is given up; True: look again."""
        end = self.context.monotonic() + in_hand(self.context).total_seconds() + 1
        waited = False
        while self.context.monotonic() < end:
            with self.context.reading(self.conn) as session:
                until = outbox.in_hand(session, self.context.clock())
            if until is None:
                return waited
            waited = True
            if self.context.stop.wait(0.5):
                return False
        return waited

    def report(self) -> DrainReport:
        """What was done, and what is left."""
        left = _left(self.context, self.conn)
        report = DrainReport(drained=True, deleted=self.deleted, left=left, down=self.down)
        metrics.OBJECTS_DELETED.inc(self.deleted)
        for state in ObjectState:
            metrics.OBJECTS.labels(state).set(left.get(state, 0))
        metrics.stores_down(self.down)
        level = _log.warning if report.exit_code else _log.info
        if self.deleted or report.exit_code:
            level("objects_drained", deleted=self.deleted, left=left, stores_down=len(self.down))
        return report

    def _store(self, name: str) -> None:
        run = StoreDrain(
            context=self.context,
            conn=self.conn,
            compiled=self._compiled,
            completion=self._completion,
            paused_tenants=self._paused_tenants,
            name=name,
            store=self.stores.get(name),
        )
        try:
            run.run(self._tell)
        finally:
            self.deleted += run.deleted
        metrics.OBJECT_STORE_DOWN.labels(shown(name))
        if run.down is not None:
            self.down[shown(name)] = run.down

    def _tell(self, deleted: int) -> None:
        self._told += deleted
        if self.progress is not None:
            self.progress(self._told, max(self._total, self._told))
