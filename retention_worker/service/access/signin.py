"""Signs a local user in by a password, slowly enough that nobody tries many."""

from __future__ import annotations

from datetime import timedelta

import structlog

from retention_worker.domain.errors import RetentionWorkerError
from retention_worker.service.access.clients import hash_of
from retention_worker.service.access.passwords import is_right
from retention_worker.service.access.sessions import open_session
from retention_worker.service.context import Context
from retention_worker.store.own import portal
from retention_worker.store.own.portal import SignedIn

_log = structlog.get_logger()

# OWASP ASVS 2.2.1 asks for no more than 100 an hour on one account.
MOST_ATTEMPTS = 10
WINDOW = timedelta(minutes=15)


class WrongPassword(RetentionWorkerError):
    """There is no such user, they are disabled, or the password is another."""


class TooManyAttempts(RetentionWorkerError):
    """The name was tried too often; `retry_after` says for how long nobody can sign in by it."""

    def __init__(self, retry_after: timedelta) -> None:
        self.retry_after = retry_after
        super().__init__("this name was tried too often")


def sign_in(context: Context, name: str, password: str) -> tuple[str, SignedIn]:
    """Sign a local user in.

    The attempt is counted before the password is looked at, so that attempts at once count too.

    Returns:
        The session's token, and the session.

    Raises:
        WrongPassword: they may not; which of the reasons it is, nobody is told.
        TooManyAttempts: the name was tried ten times within a quarter of an hour.
        TooBusy: too many people sign in at once.
    """
    key, now = hash_of(name), context.clock()
    with context.pool.connection() as conn:
        context.check_schema(conn)
        with context.writing(conn) as session:
            tried = portal.attempt(session, key, now=now, over=now - WINDOW)
        if tried.number > MOST_ATTEMPTS:
            _log.warning("sign_in_refused", attempts=tried.number)
            raise TooManyAttempts(tried.since + WINDOW - now)
        with context.reading(conn) as session:
            # No user's name has a character that cannot be printed, or be asked for.
            found = portal.user(session, name) if name.isprintable() else None
    # No connection is held while the password is compared.
    if not is_right(password, found.password_hash if found else None) or found is None:
        _log.info("sign_in_failed", attempts=tried.number)
        raise WrongPassword("the name or the password is wrong")
    with context.writing() as session:
        portal.forget_attempts(session, key)
    opened = open_session(
        context, found.name, tenant_id=found.tenant_id, role=found.role, local=True
    )
    _log.info("signed_in", user=found.name, tenant=found.tenant_id, role=found.role)
    return opened
