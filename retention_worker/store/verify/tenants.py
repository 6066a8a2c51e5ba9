"""What the worker's tenant_ids are in the tenant column's own text."""

from __future__ import annotations

from collections.abc import Iterable

from retention_worker.domain.errors import StatementFailed
from retention_worker.store.connection.session import Session
from retention_worker.store.verify.statements import Looks


def values_of(session: Session, looks: Looks, tenant_ids: Iterable[str]) -> dict[str, str]:
    """The column's text of each tenant_id; one that cannot be a value of its type is left out."""
    wanted = sorted(tenant_ids)
    try:
        with session.conn.transaction():
            return _read(session, looks, wanted)
    except StatementFailed:
        if len(wanted) == 1:
            return {}
    middle = len(wanted) // 2
    halves = wanted[:middle], wanted[middle:]
    return {key: text for half in halves for key, text in values_of(session, looks, half).items()}


def _read(session: Session, looks: Looks, tenant_ids: list[str]) -> dict[str, str]:
    rows = session.rows(looks.values(), {"tenants": tenant_ids})
    return {row["tenant_id"]: row["value"] for row in rows}
