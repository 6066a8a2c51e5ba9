"""What becomes of an object that is still there: in which state it waits, and until when."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from retention_worker.domain.objects.object import ObjectState, Result, StoreAnswer
from retention_worker.store.own.objects import Claimed, PutBack

_FIRST_RETRY = timedelta(seconds=30)
_LAST_RETRY = timedelta(hours=1)
# So often an object fails by itself, while its store answers, before a person has to look.
_ATTEMPTS = 20
# A lock of the store ends some day, a right is given: nobody has to remember to ask again.
_DENIED_AGAIN = timedelta(days=1)
_KEPT_AGAIN = timedelta(hours=1)


def kept(each: Claimed, why: str, now: datetime) -> PutBack:
    """An object that nobody asked its store for, because it is still needed."""
    return PutBack(
        id=each.id,
        state=ObjectState.KEPT,
        error=why,
        attempts=0,
        retry_at=now + _KEPT_AGAIN,
    )


def put_back(each: Claimed, verdict: StoreAnswer | None, now: datetime) -> PutBack:
    """An object that its store did not delete; None: the store gave no answer."""
    if verdict is None:
        # The store is at fault and not the object: asked again soon, and that was no attempt.
        return PutBack(
            id=each.id,
            state=each.state,
            error="the store is down",
            attempts=each.attempts - 1,
            retry_at=now + _backoff(1),
        )
    state, again = ObjectState.QUEUED, _backoff(each.attempts)
    if verdict.result is Result.DENIED:
        state, again = ObjectState.DENIED, _DENIED_AGAIN
    elif verdict.result is Result.FAILED or each.attempts >= _ATTEMPTS:
        state = ObjectState.FAILED
    return PutBack(
        id=each.id,
        state=state,
        error=verdict.error,
        attempts=each.attempts,
        retry_at=now + again,
    )


def _backoff(attempts: int) -> timedelta:
    """Later each time, and not all at the same moment."""
    pause: timedelta = min(_FIRST_RETRY * 2 ** min(attempts - 1, 12), _LAST_RETRY)
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, hides nothing
