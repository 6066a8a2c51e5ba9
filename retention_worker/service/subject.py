"""Finds and locks the account or the transaction that a person or a program named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from retention_worker.domain.errors import StatementFailed, UnknownSubject
from retention_worker.store.connection.keys import Key, id_text
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts
from retention_worker.store.mapped.accounts import Locked
from retention_worker.store.mapsql import CompiledMap

# SQLSTATE class 22: the text is no value of the column's type.
_NO_SUCH_VALUE = "22"


@contextmanager
def of_another_type(text: str) -> Iterator[None]:
    """Says clearly that an id can't be one, such as a word where ids are numbers."""
    try:
        yield
    except StatementFailed as exc:
        if (exc.sqlstate or "").startswith(_NO_SUCH_VALUE):
            raise UnknownSubject(f"{text!r} is no id here: ids are of another type") from exc
        raise


def lock_account(
    session: Session, compiled: CompiledMap, tenant_id: str, key: Key
) -> Locked | None:
    """Lock an account and wait for it; None where the tenant has none of that id.

    Raises:
        UnknownSubject: the id is of another type.
        BatchTimeout: somebody has it locked for longer than a person waits.
    """
    with of_another_type(id_text(key)):
        return accounts.lock_waiting(session, compiled, tenant_id, key)
