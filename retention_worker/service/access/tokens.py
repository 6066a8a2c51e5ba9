"""Access tokens: issued to a client for its secret, and looked up with each request."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from retention_worker.domain.access.permission import Permission
from retention_worker.domain.errors import GuardRefused, RetentionWorkerError
from retention_worker.service.access.clients import hash_of
from retention_worker.service.context import Context
from retention_worker.store.connection.session import Session
from retention_worker.store.own import clients
from retention_worker.store.own.clients import Bearer

LIFETIME = timedelta(hours=1)
_PREFIX = "rwt_"
_TOKEN_BYTES = 32
# A client that takes a token for each request, and not one an hour, would fill the table.
_MOST = 1000
# Compared with where there is no such client, so that both take the same time.
_NOBODY = hash_of("")


class WrongClient(RetentionWorkerError):
    """There is no such client, or the secret is another."""


class NotGranted(RetentionWorkerError):
    """The client asked for a permission that it has not."""


class TooManyTokens(GuardRefused):
    """The client has as many tokens as one may have."""


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token, which is shown this once and kept nowhere."""

    token: str = field(repr=False)
    permissions: frozenset[Permission]
    expires_at: datetime


def issue(
    context: Context, client_id: str, secret: str, wanted: Collection[Permission] | None
) -> Token:
    """Issue a token for an hour.

    Args:
        client_id: who asks.
        secret: what proves it.
        wanted: fewer permissions than the client has; None: all of them.

    Raises:
        WrongClient: the client or its secret is wrong, or it is revoked.
        NotGranted: it has not all permissions that it asks for.
        TooManyTokens: it has a thousand tokens that count.
    """
    token, now = _PREFIX + secrets.token_urlsafe(_TOKEN_BYTES), context.clock()
    with context.writing() as session:
        found = clients.lock(session, client_id)
        expected = found.secret_hash if found else _NOBODY
        if not hmac.compare_digest(hash_of(secret), expected) or found is None:
            raise WrongClient("the client or its secret is wrong")
        permissions = found.permissions if wanted is None else frozenset(wanted)
        if not permissions or not permissions <= found.permissions:
            raise NotGranted("the client has not all these permissions")
        clients.prune_tokens(session, now)
        if clients.count_tokens(session, client_id, now) >= _MOST:
            raise TooManyTokens("the client has too many tokens: use one until it expires")
        expires_at = now + LIFETIME
        clients.add_token(
            session, hash_of(token), client_id, permissions, now=now, expires_at=expires_at
        )
        clients.used(session, client_id, now)
    return Token(token=token, permissions=permissions, expires_at=expires_at)


def bearer(context: Context, token: str) -> Bearer | None:
    """Whose token it is; None where it is none, has expired or was revoked."""
    with context.pool.connection() as conn:
        context.check_schema(conn)
        # One statement is a transaction of its own: every request waits for this one first.
        session = Session(conn, context.settings.schema_name)
        return clients.bearer(session, hash_of(token), context.clock())
