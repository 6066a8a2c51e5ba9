"""Passwords of people: what is accepted, how they are kept (argon2), how they are compared."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from retention_worker.domain.errors import ConfigurationError, GuardRefused

# OWASP ASVS 2.1.1 and 2.1.2: twelve characters at least, and no more than 128.
_LEAST, _MOST = 12, 128
# Each comparison takes 64 MB and a core for a moment: so many at once, and others wait a little.
_AT_ONCE = threading.BoundedSemaphore(4)
_PATIENCE_SECONDS = 5.0


class TooBusy(GuardRefused):
    """Too many people sign in at this moment: the person has to try again."""


def hashed(name: str, password: str) -> str:
    """The hash that is kept of a new password.

    Raises:
        ConfigurationError: it is too short, too long, or easily guessed from the name.
    """
    if not _LEAST <= len(password) <= _MOST:
        raise ConfigurationError(f"the password: write {_LEAST} to {_MOST} characters")
    if len(set(password)) < 5 or name.casefold() in password.casefold():
        raise ConfigurationError("the password is easily guessed: write another one")
    with _turn():
        return _hasher().hash(password)


def is_right(password: str, password_hash: str | None) -> bool:
    """Whether it is the password; it takes as long where there is no hash to compare with."""
    with _turn():
        right = _hasher().verify(password[: _MOST + 1], password_hash or _nobodys())
    return right and password_hash is not None


@contextmanager
def _turn() -> Iterator[None]:
    if not _AT_ONCE.acquire(timeout=_PATIENCE_SECONDS):
        raise TooBusy("too many people sign in at once: try again")
    try:
        yield
    finally:
        _AT_ONCE.release()


@cache
def _hasher() -> PasswordHash:
    return PasswordHash((Argon2Hasher(),))


@cache
def _nobodys() -> str:
    return _hasher().hash("a password that nobody has, compared with where there is no user")
