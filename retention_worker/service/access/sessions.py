"""Sessions of the portal: opened by a sign-in, found with each request, ended by time or hand."""

from __future__ import annotations

import secrets
from datetime import timedelta

from retention_worker.domain.access.role import Role
from retention_worker.service.access.clients import hash_of
from retention_worker.service.context import Context
from retention_worker.store.own import portal
from retention_worker.store.own.portal import SignedIn

# OWASP ASVS 3.3.2, level 2: half an hour without a request, and a working day in all.
IDLE = timedelta(minutes=30)
LIFETIME = timedelta(hours=8)
# So seldom is it written down that a session is used; it can end that much too early.
_NOTED_EVERY = timedelta(minutes=1)
_TOKEN_BYTES = 32


def open_session(
    context: Context, name: str, *, tenant_id: str, role: Role, local: bool
) -> tuple[str, SignedIn]:
    """Sign somebody in who has proved who they are.

    Args:
        name: of the person.
        tenant_id: whose data they see.
        role: what they may do.
        local: whether they are one of our own users.

    Returns:
        The session's token, which is kept nowhere here, and the session.
    """
    token, now = secrets.token_urlsafe(_TOKEN_BYTES), context.clock()
    who = SignedIn(
        name=name,
        tenant_id=tenant_id,
        role=role,
        csrf_secret=secrets.token_urlsafe(_TOKEN_BYTES),
        last_seen_at=now,
        ends_at=now + LIFETIME,
    )
    with context.writing() as session:
        portal.prune_sessions(session, now=now, idle=now - IDLE)
        portal.open_session(session, hash_of(token), who, local_user=name if local else None)
    return token, who


def find(context: Context, token: str) -> SignedIn | None:
    """Whose token it is; None where it is none, or has ended."""
    now, key = context.clock(), hash_of(token)
    with context.pool.connection() as conn:
        context.check_schema(conn)
        with context.reading(conn) as session:
            found = portal.find_session(session, key, now=now, idle=now - IDLE)
        if found is not None and now - found.last_seen_at >= _NOTED_EVERY:
            with context.writing(conn) as session:
                portal.seen(session, key, now)
    return found


def close(context: Context, token: str) -> None:
    """Sign out."""
    with context.writing() as session:
        portal.close_session(session, hash_of(token))
