"""Users of the portal: made, listed, disabled, given another password."""

from __future__ import annotations

from retention_worker.domain.access.role import Role
from retention_worker.domain.errors import ConfigurationError, UnknownSubject
from retention_worker.service.access.clients import known_tenant
from retention_worker.service.access.passwords import hashed
from retention_worker.service.config import load
from retention_worker.service.context import Context
from retention_worker.service.tenants import tenant_id_of
from retention_worker.store.own import portal
from retention_worker.store.own.portal import User

_MAX_NAME = 100
# Stands between an identity provider and the name of one of its users.
_RESERVED = ":"


def create(
    context: Context, name: str, *, tenant: str, role: Role, password: str, actor: str
) -> User:
    """Make a user of one tenant.

    Args:
        name: what they sign in with, and what the ledger's requests say; never given anew.
        tenant: a policy file's name, or a value of the tenant column.
        role: what they may do.
        password: 12 to 128 characters.
        actor: who makes the user.

    Raises:
        UnknownSubject: there is no such tenant.
        ConfigurationError: the name or the password is not accepted, or the name is taken.
    """
    name = name.strip()
    if not 1 <= len(name) <= _MAX_NAME or not name.isprintable() or _RESERVED in name:
        raise ConfigurationError(
            f"the name: write 1 to {_MAX_NAME} printable characters without a colon"
        )
    password_hash = hashed(name, password)
    with context.pool.connection() as conn:
        tenant_id = known_tenant(context, conn, tenant)
        with context.writing(conn) as session:
            made = portal.add_user(
                session,
                name,
                tenant_id=tenant_id,
                role=role,
                password_hash=password_hash,
                actor=actor,
                now=context.clock(),
            )
    if made is None:
        raise ConfigurationError(f"the name {name!r} is taken, or was once: choose another")
    return made


def listed(context: Context, tenant: str | None) -> list[User]:
    """The users of a tenant, or of all; disabled ones too."""
    with context.pool.connection() as conn:
        context.check_schema(conn)
        tenant_id = None
        if tenant is not None:
            tenant_id = tenant_id_of(load(context, conn).policies, tenant, single=False)
        with context.reading(conn) as session:
            return portal.users(session, tenant_id)


def disable(context: Context, name: str, *, actor: str) -> User:
    """Let a user sign in no more; their sessions end at once.

    Raises:
        UnknownSubject: there is no such user, or they are disabled.
    """
    with context.writing() as session:
        found = _required(portal.disable(session, name, actor, context.clock()), name)
        portal.end_sessions_of(session, name)
    return found


def set_password(context: Context, name: str, password: str, *, actor: str) -> User:
    """Give a user another password; their sessions end at once.

    Raises:
        UnknownSubject: there is no such user, or they are disabled.
        ConfigurationError: the password is not accepted.
    """
    password_hash = hashed(name, password)
    with context.writing() as session:
        found = _required(
            portal.set_password(session, name, password_hash, actor, context.clock()), name
        )
        portal.end_sessions_of(session, name)
    return found


def _required(found: User | None, name: str) -> User:
    if found is None:
        raise UnknownSubject(f"there is no user {name!r} that counts: see user list")
    return found
