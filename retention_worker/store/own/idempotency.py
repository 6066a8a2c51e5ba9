"""Answers to requests that carry an Idempotency-Key, so that a repeated one is answered alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from retention_worker.store.connection.session import Session


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a key stands for; `status` and `answer` (JSON) are None while it is under way."""

    request_hash: bytes
    status: int | None
    answer: str | None


def forget(session: Session, before: datetime) -> None:
    """Remove keys from before an instant, a hundred at once."""
    session.run("idempotency.forget", {"before": before})


def begin(session: Session, key: bytes, request: bytes, now: datetime, stale: datetime) -> bool:
    """Take the key; False where it is taken. One begun before `stale` and never ended is free."""
    parameters = {"key": key, "request": request, "now": now, "stale": stale}
    return session.row("idempotency.begin", parameters) is not None


def read(session: Session, key: bytes) -> Known | None:
    """What the key stands for."""
    row = session.row("idempotency.read", {"key": key})
    return Known(**row) if row else None


def end(session: Session, key: bytes, status: int, answer: str) -> None:
    """Keep what was answered."""
    session.run("idempotency.end", {"key": key, "status": status, "answer": answer})


def give_up(session: Session, key: bytes) -> None:
    """Let the key go: nothing was done."""
    session.run("idempotency.give_up", {"key": key})
