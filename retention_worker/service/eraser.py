"""Lock, look again, **erase, prove, write**: the half that lanes and requests share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from retention_worker.domain.errors import IncompleteErasure
from retention_worker.domain.scope import Scope
from retention_worker.store.connection.keys import Key, Part, id_text
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts, credentials, remains, transactions
from retention_worker.store.mapped.accounts import Found, Locked
from retention_worker.store.mapped.credentials import Erasing
from retention_worker.store.mapped.transactions import Owned
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.own import deferred
from retention_worker.store.own.deferred import RememberedActivity


@dataclass(frozen=True, kw_only=True)
class Eraser:
    """Erases the credentials of accounts that its caller has locked and looked at.

    Everything happens in the caller's transaction, which also writes the ledger.

    Args:
        session: of the transaction.
        compiled: the data map.
        tenant_id: of the accounts.
        scope: what goes.
        batch: the number that the ledger gives it.
        at: the time of the erasure, for the ledger and the outbox.
        object_grace: how long nobody touches an object that rows share.
        cutoff: rows that are newer were not there when the caller looked; None: they may have been.
    """

    session: Session
    compiled: CompiledMap
    tenant_id: str
    scope: Scope
    batch: int
    at: datetime
    object_grace: timedelta
    cutoff: datetime | None = None

    def remember(
        self,
        keys: Sequence[Key],
        locked: Mapping[str, Locked],
        looked: Mapping[str, Found],
        scopes: Collection[Scope],
        now: datetime,
    ) -> None:
        """Keep in mind for these scopes what the erasure takes the evidence of.

        A credential that is newer than its account's activity counts as activity: once it is gone,
        what stays must not go before its time.
        """
        if not scopes:
            return
        seen = [
            RememberedActivity(
                key=key,
                at=locked[id_text(key)].active_at,
                credential_at=looked[id_text(key)].newest_credential,
            )
            for key in keys
        ]
        deferred.remember(self.session, self.tenant_id, sorted(scopes), seen, now)

    def erase(
        self, keys: Sequence[Key], *, part: Part | None = None, transaction: Key | None = None
    ) -> Erasing:
        """Erase the accounts, a part of one, or one transaction; its tombstones are noted first."""
        if transaction is None:
            transactions.note_erased(
                self.session, self.compiled, self.tenant_id, keys, batch=self.batch, part=part
            )
        return credentials.erase(
            self.session,
            self.compiled,
            self.scope,
            self.tenant_id,
            keys,
            batch=self.batch,
            now=self.at,
            shared_from=self.at + self.object_grace,
            cutoff=self.cutoff,
            part=part,
            transaction=transaction,
        )

    def refuse_activity(self, keys: Sequence[Key], locked: Mapping[str, Locked]) -> None:
        """Look whether erasing was activity, which only the database can know.

        Raises:
            IncompleteErasure: it was.
        """
        now = accounts.activity_now(self.session, self.compiled, self.tenant_id, keys)
        if any(now.get(name) != locked[name].activity for name in map(id_text, keys)):
            raise IncompleteErasure(
                "erasing changed the last activity of an account: a trigger touches it: run doctor"
            )

    def left(self, keys: Sequence[Key], transaction: Owned | None = None) -> list[remains.Remains]:
        """By an independent look: what of the scope is still there."""
        known = (self.session, self.compiled, self.tenant_id, self.scope)
        if transaction is not None:
            return remains.of_transaction(*known, transaction)
        return remains.of_accounts(*known, keys)
