"""Runs the very statements that erase, on a few accounts, in a transaction that is taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.sql import SQL

from retention_worker.domain.errors import RetentionWorkerError
from retention_worker.store.connection.keys import Key, key_parameters, parse_id
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped.credentials import erased
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.verify import Looks


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What came of an entry's statement: how many rows it took, or why it was refused.

    Neither: no account has rows of it, or all were in use.
    """

    entry: str
    rows: int = 0
    error: str | None = None

    @property
    def outcome(self) -> str:
        """`refused`, `tried`, or `nothing to try`."""
        if self.error is not None:
            return "refused"
        return "tried" if self.rows else "nothing to try"


def sample(
    session: Session, compiled: CompiledMap, looks: Looks, entry: str, limit: int
) -> list[tuple[str, Key]]:
    """A few accounts that have rows of an entry: the tenant's text and the key."""
    found = next(each.entry for each in compiled.entries if each.entry.name == entry)
    width = compiled.id_width
    rows = session.rows(looks.some(found), {"limit": limit})
    return [(row["tenant"] or "", parse_id(row["account"], width)) for row in rows]


def try_account(
    session: Session, compiled: CompiledMap, tenant_id: str, key: Key, now: datetime
) -> list[Tried]:
    """Each entry in its turn, and whatever triggers, rules and checks stand behind it.

    The caller has the account locked, and takes everything back.
    """
    parameters = {"tenant": tenant_id, "batch": 0, "now": now, "shared_from": now, "cutoff": None}
    parameters |= key_parameters([key], compiled.id_width)
    tried = []
    for step in compiled.steps:
        names = [each.entry.name for each in step.entries]
        try:
            with session.conn.transaction():
                # A check that waits for the end of the transaction is asked now.
                session.conn.execute(SQL("SET CONSTRAINTS ALL IMMEDIATE"))
                rows = erased(step, session.send(step.erase, parameters)).rows
            tried += [Tried(entry=name, rows=rows[name]) for name in names]
        except RetentionWorkerError as exc:
            tried += [Tried(entry=name, error=str(exc)) for name in names]
    return tried
