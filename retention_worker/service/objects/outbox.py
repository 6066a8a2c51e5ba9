"""What a person can see and do of the outbox: list it, and have objects asked for again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retention_worker.domain.errors import UnknownSubject
from retention_worker.domain.objects.object import ObjectState
from retention_worker.service.config import load
from retention_worker.service.context import Context
from retention_worker.service.tenants import require_tenant, tenant_of
from retention_worker.store.connection.pool import Connection
from retention_worker.store.own import objects as outbox
from retention_worker.store.own.objects import ListedObject


@dataclass(frozen=True, kw_only=True)
class Outbox:
    """Objects whose rows are gone; `counts` of all, `objects` the first so many.

    `late`: those that are queued for longer than a due credential may be there.
    """

    counts: dict[ObjectState, int]
    objects: tuple[ListedObject, ...]
    late: int

    @property
    def exit_code(self) -> int:
        """0, or 1 where some do not go by themselves, or should have gone by now."""
        stuck = any(self.counts.get(state) for state in ObjectState if state.needs_person)
        return int(stuck or self.late > 0)


def listed(
    context: Context, *, tenant: str | None, state: ObjectState | None, limit: int
) -> Outbox:
    """The outbox of a tenant, or of all; those that need a person first.

    Raises:
        UnknownSubject: nobody knows the tenant.
    """
    now = context.clock()
    with context.pool.connection() as conn:
        tenant_id = _tenant_id(context, conn, tenant)
        with context.reading(conn) as session:
            counts = outbox.counts(session, tenant_id)
            if not counts and tenant_id is not None:
                loaded = load(context, conn)
                require_tenant(session, loaded.compiled, loaded.policies, tenant_id)
            late = outbox.late(session, tenant_id, now - context.settings.overdue_after, now)
            found = outbox.listed(session, tenant_id=tenant_id, state=state, limit=limit)
    return Outbox(counts=counts, objects=tuple(found), late=late)


def retry(
    context: Context,
    *,
    tenant: str | None,
    state: ObjectState | None,
    ids: Sequence[int] | None,
) -> int:
    """Have objects asked for again by the next drain; how many.

    Raises:
        UnknownSubject: ids were named, and none of them can be retried; nobody knows the tenant.
    """
    with context.pool.connection() as conn:
        tenant_id = _tenant_id(context, conn, tenant)
        with context.patient(conn) as session:
            number = outbox.retry(
                session, tenant_id=tenant_id, state=state, ids=ids, now=context.clock()
            )
            if not number and not ids and tenant_id is not None:
                loaded = load(context, conn)
                require_tenant(session, loaded.compiled, loaded.policies, tenant_id)
    if ids and not number:
        raise UnknownSubject(
            "no such object is in the outbox, or a drain has it in hand, or its grace runs: "
            "see objects list"
        )
    return number


def _tenant_id(context: Context, conn: Connection, tenant: str | None) -> str | None:
    context.check_schema(conn)
    return tenant_of(context, conn, tenant)[1] if tenant is not None else None
