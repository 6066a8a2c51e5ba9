"""Clients of the API and their access tokens; of secrets and tokens only hashes come here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from retention_worker.domain.access.permission import Permission
from retention_worker.domain.document import in_json
from retention_worker.store.connection.answers import of_row
from retention_worker.store.connection.session import Session


@dataclass(frozen=True, kw_only=True)
class Client:
    """A program that may use the API, for one tenant; `secret_hash` is a SHA-256."""

    client_id: str
    tenant_id: str
    name: str
    permissions: frozenset[Permission] = field(metadata=in_json("scopes"))
    secret_hash: bytes = field(repr=False)
    created_by: str
    created_at: datetime
    rotated_at: datetime | None
    revoked_at: datetime | None
    last_token_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """Whose token came, and what it may do."""

    client_id: str
    tenant_id: str
    name: str
    permissions: frozenset[Permission]


def add(
    session: Session,
    *,
    client_id: str,
    tenant_id: str,
    name: str,
    permissions: Collection[Permission],
    secret_hash: bytes,
    now: datetime,
    actor: str,
) -> Client | None:
    """A new client; None where the tenant has one of that name."""
    row = session.row(
        "clients.add",
        {
            "client": client_id,
            "tenant": tenant_id,
            "name": name,
            "permissions": sorted(permissions),
            "hash": secret_hash,
            "now": now,
            "actor": actor,
        },
    )
    return _client(row) if row else None


def listed(session: Session, tenant_id: str | None) -> list[Client]:
    """The clients of a tenant, or of all; revoked ones too."""
    return [_client(row) for row in session.rows("clients.listed", {"tenant": tenant_id})]


def lock(session: Session, client_id: str) -> Client | None:
    """A client that counts, locked until the transaction ends."""
    row = session.row("clients.lock", {"client": client_id})
    return _client(row) if row else None


def rotate(session: Session, client_id: str, secret_hash: bytes, actor: str, now: datetime) -> None:
    """Give a client another secret."""
    session.run(
        "clients.rotate", {"client": client_id, "hash": secret_hash, "actor": actor, "now": now}
    )


def revoke(session: Session, client_id: str, actor: str, now: datetime) -> None:
    """Let a client count no more."""
    session.run("clients.revoke", {"client": client_id, "actor": actor, "now": now})


def used(session: Session, client_id: str, now: datetime) -> None:
    """Note that it asked for a token."""
    session.run("clients.used", {"client": client_id, "now": now})


def drop_tokens(session: Session, client_id: str) -> None:
    """Let all tokens of a client count no more."""
    session.run("clients.drop_tokens", {"client": client_id})


def prune_tokens(session: Session, now: datetime) -> None:
    """Remove tokens that have expired."""
    session.run("clients.prune_tokens", {"now": now})


def count_tokens(session: Session, client_id: str, now: datetime) -> int:
    """How many tokens of a client count."""
    return int(session.value("clients.count_tokens", {"client": client_id, "now": now}))


def add_token(
    session: Session,
    token_hash: bytes,
    client_id: str,
    permissions: Collection[Permission],
    *,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Note a token."""
    session.run(
        "clients.add_token",
        {
            "hash": token_hash,
            "client": client_id,
            "permissions": sorted(permissions),
            "now": now,
            "expires_at": expires_at,
        },
    )


def bearer(session: Session, token_hash: bytes, now: datetime) -> Bearer | None:
    """Whose token it is; None where it does not count."""
    row = session.row("clients.bearer", {"hash": token_hash, "now": now})
    if row is None:
        return None
    return Bearer(**row | {"permissions": _permissions(row)})


def _client(row: dict[str, Any]) -> Client:
    return of_row(Client, row, permissions=_permissions(row))


def _permissions(row: dict[str, Any]) -> frozenset[Permission]:
    return frozenset(map(Permission, row["permissions"]))
