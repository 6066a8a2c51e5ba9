"""Requests as the API shows them, with what their batches erased and what is still to go."""

from __future__ import annotations

from uuid import UUID

from retention_worker.domain.deletion import Deletion
from retention_worker.domain.scope import Scope
from retention_worker.store.session import Session

__all__ = ["read"]


def read(
    session: Session,
    tenant_id: str,
    *,
    deletion: UUID | None = None,
    request: int | None = None,
) -> Deletion | None:
    """A deletion of the tenant, by its public name or the request's number."""
    parameters = {"tenant": tenant_id, "deletion": deletion, "request": request}
    row = session.row("requests.deletion", parameters)
    if row is None:
        return None
    this = {"request": row["id"]}
    return Deletion(
        id=row["deletion"],
        request=row["id"],
        tenant_id=row["tenant_id"],
        kind=row["kind"],
        subject=row["subject_id"],
        account=row["account_id"],
        scope=Scope(row["scope"]),
        source=row["source"],
        actor=row["actor"],
        reason=row["reason"],
        noted=row["state"],
        requested_at=row["requested_at"],
        due_by=row["due_by"],
        finished_at=row["finished_at"],
        objects_gone_at=row["gone_at"],
        rows={each["name"]: each["rows"] for each in session.rows("requests.erased_rows", this)},
        objects=int(row["objects"]),
        objects_left={
            each["state"]: each["objects"] for each in session.rows("requests.objects_left", this)
        },
    )
