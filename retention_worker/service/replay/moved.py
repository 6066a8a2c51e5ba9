"""What was erased under one account and is another's in the database that was restored.

An account may have had another id or tenant when the backup was made, or its transactions another
account: a replay that looks for the account finds nothing, and would say that nothing is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as changed

from retention_worker.domain.ledger.export import ExportLine
from retention_worker.domain.scope import Scope
from retention_worker.service.config import Prepared
from retention_worker.service.context import Context
from retention_worker.service.replay.outcome import Replay
from retention_worker.service.request.request import ACCOUNT, TRANSACTION
from retention_worker.store.connection.keys import id_text, parse_id
from retention_worker.store.connection.pool import Connection
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts, remains, transactions

_SINCE = "look at it, and erase it by hand"


@dataclass
class Moved:
    """Of one batch of the export that the ledger has not: nothing of it goes, a person decides."""

    context: Context
    conn: Connection
    prepared: Prepared
    line: ExportLine
    result: Replay

    def run(self) -> None:
        """Keep, and name, what is somebody else's by now."""
        with self.context.writing(self.conn) as session:
            self._accounts(session)
            self._transactions(session)

    def _accounts(self, session: Session) -> None:
        """Accounts that the tenant has no more, though rows hang on their ids."""
        compiled, body = self.prepared.compiled, self.line.body
        rows = {row.subject: row for row in self.line.erasures if row.kind == ACCOUNT}
        if not rows:
            return
        width = compiled.id_width
        keys = {name: parse_id(name, width) for name in rows}
        known = (session, compiled, body["tenant"])
        bound = compiled.accounts.activity.bound(self.context.clock())
        there = accounts.present(*known, list(keys.values()), bound)
        absent = [key for name, key in keys.items() if name not in there]
        left = remains.of_accounts(*known, Scope(body["scope"]), absent) if absent else []
        for name in dict.fromkeys(each.account for each in left):
            self.result.keep(rows[name], f"no account of this tenant, and has rows: {_SINCE}")

    def _transactions(self, session: Session) -> None:
        """Transactions of erased accounts that are another's, with credentials of the scope."""
        if not self.line.erasures:
            return
        compiled, row = self.prepared.compiled, self.line.erasures[0]
        mine = {each.subject for each in self.line.erasures if each.kind == ACCOUNT}
        named = [each.subject for each in self.line.erasures if each.kind != ACCOUNT]
        for found in transactions.owners(session, compiled, [*self.line.transactions, *named]):
            account, tenant = id_text(found.owned.account_key), found.tenant
            is_own = account in mine or found.owned.id in named
            if is_own and tenant in {None, row.tenant}:
                continue
            if remains.of_transaction(
                session, compiled, tenant or row.tenant, Scope(row.scope), found.owned
            ):
                self.result.keep(
                    changed(row, kind=TRANSACTION, subject=found.owned.id),
                    f"is account {account}'s"
                    + (f" of tenant {tenant}" if tenant is not None else "")
                    + f" by now: {_SINCE}",
                )
