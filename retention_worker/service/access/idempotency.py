"""Does once what is asked for twice: the Idempotency-Key of requests that grant or hold.

The key is kept as a SHA-256, with who sent it and where to, for a day. What is asked for stays
idempotent by its content without one; the key also gives the very same answer again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from retention_worker.domain.errors import GuardRefused, NeedsPerson
from retention_worker.service.context import Context
from retention_worker.store.own import idempotency

_KEPT = timedelta(hours=24)
# Whoever held a key for so long without an answer is gone.
_STALE = timedelta(minutes=5)


class KeyUsedOtherwise(NeedsPerson):
    """The key was sent with another request before."""


class UnderWay(GuardRefused):
    """The first request with the key is not answered yet."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """An answer: its status and its JSON text."""

    status: int
    answer: str


def once(context: Context, key: str, sender: str, request: str, do: Callable[[], Done]) -> Done:
    """Do it, or give the answer that the key has.

    Args:
        key: as the client sent it.
        sender: who, and where to: keys of others are other keys.
        request: everything that was asked for.
        do: does it; where it raises, the key is free again.

    Raises:
        KeyUsedOtherwise: the key stands for another request.
        UnderWay: the first one is not answered yet.
    """
    name = hashlib.sha256(f"{sender}\n{key}".encode()).digest()
    asked = hashlib.sha256(request.encode()).digest()
    known = _begin(context, name, asked)
    if known is not None:
        return known
    try:
        done = do()
    except BaseException:
        with context.writing() as session:
            idempotency.give_up(session, name)
        raise
    with context.writing() as session:
        idempotency.end(session, name, done.status, done.answer)
    return done


def _begin(context: Context, name: bytes, asked: bytes) -> Done | None:
    now = context.clock()
    with context.writing() as session:
        idempotency.forget(session, now - _KEPT)
        if idempotency.begin(session, name, asked, now, now - _STALE):
            return None
        known = idempotency.read(session, name)
    if known is None:  # given up between the two: as if it had come a moment later
        raise UnderWay("the first request with this key has just ended: ask again")
    if known.request_hash != asked:
        raise KeyUsedOtherwise("the Idempotency-Key was sent with another request before")
    if known.status is None or known.answer is None:
        raise UnderWay("the first request with this key is not answered yet: ask again")
    return Done(status=known.status, answer=known.answer)
