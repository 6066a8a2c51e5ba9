"""Tries to erase, and takes it back: what no look at the catalog can tell.

A trigger that was accepted may need rights that the worker's role lacks, a check may refuse a
blank, a rule may keep the row. The worker's own statements are run on a few accounts that have
rows, each account locked as a batch would lock it, and rolled back. What a rollback does not undo
(numbers drawn from a sequence, a message to another server) is a trigger's own affair.
"""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.errors import BatchTimeout, RetentionWorkerError
from retention_worker.domain.scope import Scope
from retention_worker.service.checks.finding import Finding, wrong
from retention_worker.service.context import Context
from retention_worker.store.connection.keys import Key
from retention_worker.store.connection.pool import Connection, trying
from retention_worker.store.connection.session import Deadline, Session
from retention_worker.store.mapped import accounts, remains, trial
from retention_worker.store.mapped.trial import Tried
from retention_worker.store.mapsql import CompiledMap, compile_map
from retention_worker.store.verify import Looks

# More tell nothing new: the statements are the same for all.
_ACCOUNTS = 3
_KEPT = "row(s) were still there: a trigger or a rule keeps them"
# Of one account, its lock included: an application waits no longer than for a batch.
_DEADLINE_MS = 1_000


def try_entries(context: Context, datamap: DataMap) -> list[Tried]:
    """Try every entry on accounts that have rows of it; nothing stays changed."""
    rows: dict[str, int] = {}
    errors: dict[str, str] = {}
    with context.pool.connection() as conn:
        compiled = compile_map(conn, datamap, context.settings.schema_name)
        looks = Looks(datamap, compiled.catalog, context.settings.schema_name)
        for tenant_id, key in _sample(context, conn, compiled, looks):
            for each in _try(context, conn, compiled, tenant_id, key):
                rows[each.entry] = rows.get(each.entry, 0) + each.rows
                if each.error is not None:
                    errors.setdefault(each.entry, each.error)
    return [
        Tried(entry=each.name, rows=rows.get(each.name, 0), error=errors.get(each.name))
        for each in datamap.credentials
    ]


def findings(trials: list[Tried]) -> Iterator[Finding]:
    """What was refused."""
    for each in trials:
        if each.error is not None:
            yield wrong(
                "trial",
                f"credentials[{each.entry}]",
                f"erasing was tried and taken back: {each.error}",
            )


def _sample(
    context: Context, conn: Connection, compiled: CompiledMap, looks: Looks
) -> list[tuple[str, Key]]:
    found: dict[tuple[str, Key], None] = {}
    for each in compiled.entries:
        with context.reading(conn) as session:
            some = trial.sample(session, compiled, looks, each.entry.name, _ACCOUNTS)
            found.update(dict.fromkeys(some))
    return list(found)


def _try(
    context: Context, conn: Connection, compiled: CompiledMap, tenant_id: str, key: Key
) -> list[Tried]:
    schema_name = context.settings.schema_name
    try:
        with trying(conn):
            session = Session(conn, schema_name, Deadline(context.monotonic, _DEADLINE_MS))
            if accounts.lock_waiting(session, compiled, tenant_id, key) is None:
                return []
            tried = trial.try_account(session, compiled, tenant_id, key, context.clock())
            refused = {each.entry for each in tried if each.error is not None}
            left = remains.of_accounts(session, compiled, tenant_id, Scope.ALL, [key])
            kept = [each for each in left if each.entry not in refused and not each.unreachable]
            return [
                *tried,
                *(Tried(entry=each.entry, error=f"{each.rows} {_KEPT}") for each in kept),
            ]
    except BatchTimeout:
        return []  # somebody uses it: there are others
    except RetentionWorkerError as exc:
        name = compiled.entries[0].entry.name  # the lock itself, or the look, is refused
        return [Tried(entry=name, error=str(exc))]
