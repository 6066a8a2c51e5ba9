"""Clients of the API: made, listed, given another secret, revoked."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import uuid4

from retention_worker.domain.access.permission import Permission
from retention_worker.domain.errors import ConfigurationError, UnknownSubject
from retention_worker.service.config import load
from retention_worker.service.context import Context
from retention_worker.service.tenants import as_policies_write, tenant_id_of
from retention_worker.store.connection.pool import Connection
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts
from retention_worker.store.own import clients
from retention_worker.store.own.clients import Client

# So that who finds one in a file knows, or a scanner does, what it opens.
_PREFIX = "rws_"
# 256 bits: nobody guesses it, so a fast hash is enough.
_SECRET_BYTES = 32
_MAX_NAME = 100


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A client with its secret, which is shown this once and kept nowhere."""

    client: Client
    secret: str = field(repr=False)


def hash_of(text: str) -> bytes:
    """SHA-256 of a secret or a token."""
    return hashlib.sha256(text.encode()).digest()


def create(
    context: Context, name: str, *, tenant: str, permissions: Collection[Permission], actor: str
) -> Secret:
    """Make a client for one tenant.

    Args:
        name: what people call it; once a tenant.
        tenant: a policy file's name, or a value of the tenant column.
        permissions: one at least.
        actor: who makes it.

    Raises:
        UnknownSubject: there is no such tenant.
        ConfigurationError: the name is empty, too long or taken; there are no permissions.
    """
    name = name.strip()
    if not name or len(name) > _MAX_NAME or not name.isprintable():
        raise ConfigurationError(f"the name: write 1 to {_MAX_NAME} printable characters")
    if not permissions:
        raise ConfigurationError("there are no permissions: write --scope")
    secret = _new_secret()
    with context.pool.connection() as conn:
        tenant_id = known_tenant(context, conn, tenant)
        with context.writing(conn) as session:
            made = clients.add(
                session,
                client_id=str(uuid4()),
                tenant_id=tenant_id,
                name=name,
                permissions=permissions,
                secret_hash=hash_of(secret),
                now=context.clock(),
                actor=actor,
            )
    if made is None:
        raise ConfigurationError(f"tenant {tenant!r} has a client {name!r}: choose another name")
    return Secret(client=made, secret=secret)


def listed(context: Context, tenant: str | None) -> list[Client]:
    """The clients of a tenant, or of all; revoked ones too."""
    with context.pool.connection() as conn:
        context.check_schema(conn)
        tenant_id = None
        if tenant is not None:
            tenant_id = tenant_id_of(load(context, conn).policies, tenant, single=False)
        with context.reading(conn) as session:
            return clients.listed(session, tenant_id)


def rotate(context: Context, client_id: str, *, actor: str) -> Secret:
    """Give a client another secret; the old one and all its tokens end at once.

    Raises:
        UnknownSubject: there is no such client, or it is revoked.
    """
    secret = _new_secret()
    with context.writing() as session:
        found = _locked(session, client_id)
        clients.rotate(session, client_id, hash_of(secret), actor, context.clock())
        clients.drop_tokens(session, client_id)
    return Secret(client=found, secret=secret)


def revoke(context: Context, client_id: str, *, actor: str) -> Client:
    """Let a client and all its tokens count no more, at once.

    Raises:
        UnknownSubject: there is no such client, or it is revoked.
    """
    with context.writing() as session:
        found = _locked(session, client_id)
        clients.revoke(session, client_id, actor, context.clock())
        clients.drop_tokens(session, client_id)
    return found


def _locked(session: Session, client_id: str) -> Client:
    found = clients.lock(session, client_id)
    if found is None:
        raise UnknownSubject(f"there is no client {client_id!r} that counts: see client list")
    return found


def known_tenant(context: Context, conn: Connection, tenant: str) -> str:
    """The tenant column's value for a tenant that there is.

    A typing error must not make a client that sees nothing, or another's data later.

    Raises:
        UnknownSubject: there is neither a policy file nor an account of it.
    """
    loaded = load(context, conn)
    tenant_id = tenant_id_of(loaded.policies, tenant, single=loaded.single)
    tenant_id = as_policies_write(context, conn, loaded.compiled, loaded.policies, tenant_id)
    files = {file.policy.tenant_id for file in loaded.policies.files.values()}
    if tenant_id in files:
        return tenant_id
    if not loaded.single:
        with context.reading(conn) as session:
            if not accounts.without_accounts(session, loaded.compiled, [tenant_id]):
                return tenant_id
    raise UnknownSubject(f"there is no tenant {tenant!r}: neither a policy file nor an account")


def _new_secret() -> str:
    return _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
