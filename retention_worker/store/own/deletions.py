"""Requests as the API shows them, with what their batches erased and what is still to go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from retention_worker.domain.request.deletion import DeletionRecord
from retention_worker.domain.scope import Scope
from retention_worker.store.connection.answers import of_row
from retention_worker.store.connection.session import Session


def read(
    session: Session,
    tenant_id: str,
    *,
    deletion: UUID | None = None,
    request: int | None = None,
    entries: Mapping[Scope, Sequence[str]],
) -> DeletionRecord | None:
    """A deletion of the tenant, by its public name or the request's number.

    Args:
        tenant_id: whose it must be.
        deletion: the public name.
        request: or the number.
        entries: the names of the map's entries that each scope covers.
    """
    parameters = {"tenant": tenant_id, "deletion": deletion, "request": request}
    row = session.row("requests.deletion", parameters)
    if row is None:
        return None
    scope = Scope(row["scope"])
    this = {
        "request": row["id"],
        "tenant": row["tenant_id"],
        "kind": row["kind"],
        "account": row["account_id"],
        "subject": row["subject_id"],
        "last_batch": row["last_batch"],
        "entries": list(entries[scope]),
    }
    left = session.rows("requests.objects_left", this)
    return of_row(
        DeletionRecord,
        row,
        id=row["deletion"],
        request=row["id"],
        subject=row["subject_id"],
        account=row["account_id"],
        scope=scope,
        noted=row["state"],
        objects_gone_at=session.value("requests.objects_gone_at", this),
        rows={each["name"]: each["rows"] for each in session.rows("requests.erased_rows", this)},
        # Those that an earlier erasure had queued count as long as they are there.
        objects=int(row["objects"]) + sum(each["objects"] - each["own"] for each in left),
        objects_left={each["state"]: each["objects"] for each in left},
    )
