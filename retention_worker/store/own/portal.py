"""People who use the portal, their sessions and attempts; only hashes of secrets come here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from retention_worker.domain.access.role import Role
from retention_worker.domain.document import in_json
from retention_worker.store.connection.answers import of_row
from retention_worker.store.connection.session import Session


@dataclass(frozen=True, kw_only=True)
class User:
    """A person who signs in with a password, for one tenant."""

    name: str
    tenant_id: str
    role: Role
    password_hash: str = field(repr=False)
    created_at: datetime
    created_by: str
    password_at: datetime = field(metadata=in_json(left_out=True))
    disabled_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """A session that counts: who it is, what they may do, and the secret of their forms."""

    name: str
    tenant_id: str
    role: Role
    csrf_secret: str = field(repr=False)
    last_seen_at: datetime
    ends_at: datetime


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """How often a name was tried since when."""

    number: int
    since: datetime


def add_user(
    session: Session,
    name: str,
    *,
    tenant_id: str,
    role: Role,
    password_hash: str,
    actor: str,
    now: datetime,
) -> User | None:
    """A new user; None where the name was ever given."""
    row = session.row(
        "portal.add_user",
        {
            "name": name,
            "tenant": tenant_id,
            "role": role,
            "hash": password_hash,
            "actor": actor,
            "now": now,
        },
    )
    return _user(row) if row else None


def users(session: Session, tenant_id: str | None) -> list[User]:
    """The users of a tenant, or of all; disabled ones too."""
    return [_user(row) for row in session.rows("portal.users", {"tenant": tenant_id})]


def user(session: Session, name: str) -> User | None:
    """A user that counts."""
    row = session.row("portal.user", {"name": name})
    return _user(row) if row else None


def disable(session: Session, name: str, actor: str, now: datetime) -> User | None:
    """Let a user count no more; None where there is none that does."""
    row = session.row("portal.disable", {"name": name, "actor": actor, "now": now})
    return _user(row) if row else None


def set_password(
    session: Session, name: str, password_hash: str, actor: str, now: datetime
) -> User | None:
    """Another password; None where there is no such user that counts."""
    row = session.row(
        "portal.set_password", {"name": name, "hash": password_hash, "actor": actor, "now": now}
    )
    return _user(row) if row else None


def end_sessions_of(session: Session, name: str) -> None:
    """End all sessions of a user."""
    session.run("portal.end_sessions_of", {"name": name})


def attempt(session: Session, name_hash: bytes, *, now: datetime, over: datetime) -> Attempts:
    """Count an attempt of a name; windows that began at `over` or before are forgotten."""
    session.run("portal.prune_attempts", {"over": over})
    row = session.row("portal.attempt", {"hash": name_hash, "now": now, "over": over})
    assert row is not None
    return Attempts(number=row["attempts"], since=row["since"])


def forget_attempts(session: Session, name_hash: bytes) -> None:
    """Count a name's attempts from the start again."""
    session.run("portal.forget_attempts", {"hash": name_hash})


def open_session(
    session: Session,
    session_hash: bytes,
    who: SignedIn,
    *,
    local_user: str | None,
) -> None:
    """Note that somebody is signed in, since `who.last_seen_at`."""
    session.run(
        "portal.open_session",
        {
            "hash": session_hash,
            "local_user": local_user,
            "name": who.name,
            "tenant": who.tenant_id,
            "role": who.role,
            "csrf": who.csrf_secret,
            "now": who.last_seen_at,
            "ends_at": who.ends_at,
        },
    )


def find_session(
    session: Session, session_hash: bytes, *, now: datetime, idle: datetime
) -> SignedIn | None:
    """A session that counts: it has not ended, and was used after `idle`."""
    row = session.row("portal.session", {"hash": session_hash, "now": now, "idle": idle})
    return SignedIn(**row | {"role": Role(row["role"])}) if row else None


def seen(session: Session, session_hash: bytes, now: datetime) -> None:
    """Note that a session was used."""
    session.run("portal.seen", {"hash": session_hash, "now": now})


def close_session(session: Session, session_hash: bytes) -> None:
    """End a session."""
    session.run("portal.close_session", {"hash": session_hash})


def prune_sessions(session: Session, *, now: datetime, idle: datetime) -> None:
    """Remove sessions that are over."""
    session.run("portal.prune_sessions", {"now": now, "idle": idle})


def _user(row: dict[str, Any]) -> User:
    return of_row(User, row, role=Role(row["role"]))
