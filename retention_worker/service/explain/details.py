"""Describes one transaction: its metadata and decision, its credentials, what was erased when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from retention_worker.domain.datamap.datamap import TRANSACTION
from retention_worker.domain.explain.details import EntryShown, TransactionShown
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.subject import of_another_type
from retention_worker.service.tenants import Tenant, looking
from retention_worker.store.connection.keys import id_text, parse_id
from retention_worker.store.connection.session import Session
from retention_worker.store.explain import explain
from retention_worker.store.mapped import remains, transactions
from retention_worker.store.mapped.transactions import Owned, TransactionFacts
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.mapsql.explain import explain_sql

_MOST_TRANSACTIONS = 100


def describe(
    context: Context, transaction: str, *, tenant: str | None, account: str | None = None
) -> TransactionShown:
    """Say everything that may be shown of one transaction; nothing is written.

    Args:
        transaction: its id as a person writes it.
        tenant: a policy file's name, or a value of the tenant column.
        account: whose it has to be, where the caller says so.

    Raises:
        UnknownSubject: the tenant (or that account) has no such transaction.
        ConfigurationError: no tenant was named, or the data map is wrong.
    """
    with looking(context, tenant) as (session, loaded, who):
        compiled, now = loaded.compiled, context.clock()
        with of_another_type(transaction):
            row = transactions.show(session, compiled, who.tenant_id, transaction, account)
        return _described(session, compiled, who, row, now)


def transactions_of(context: Context, account: str, *, tenant: str | None) -> list[str]:
    """The ids of an account's transactions, a hundred of them; none where it is unknown."""
    with looking(context, tenant) as (session, loaded, who):
        compiled, sql = loaded.compiled, explain_sql(loaded.compiled)
        key = parse_id(account, compiled.id_width)
        with of_another_type(account):
            if explain.account(session, compiled, sql, who.tenant_id, key) is None:
                return []
        found = explain.transactions(session, compiled, sql, who.tenant_id, key)
    return found[:_MOST_TRANSACTIONS]


def _described(
    session: Session, compiled: CompiledMap, who: Tenant, row: TransactionFacts, now: datetime
) -> TransactionShown:
    tenant_id, owned = who.tenant_id, row.owned
    account = id_text(owned.account_key)
    erased = explain.erasures_of_transaction(session, tenant_id, account, owned.id, row.created_at)
    open_ones = explain.requests(session, tenant_id, account)
    return TransactionShown(
        tenant=who.name,
        tenant_id=tenant_id,
        id=owned.id,
        account=account,
        at=now,
        metadata=row.metadata,
        decision=row.decision,
        state=row.state,
        in_progress=owned.in_progress,
        created_at=row.created_at,
        entries=_entries(
            compiled,
            _counts(session, compiled, tenant_id, owned),
            transactions.objects(session, tenant_id, owned),
        ),
        erasures=tuple(erased),
        requests=tuple(
            each for each in open_ones if each.kind != TRANSACTION or each.id == owned.id
        ),
    )


def _counts(
    session: Session, compiled: CompiledMap, tenant_id: str, owned: Owned
) -> dict[str, tuple[int, int]]:
    """Rows and objects that are there, those that no erasing statement reaches among them."""
    counted = transactions.counts(session, compiled, tenant_id, owned)
    for each in remains.of_transaction(session, compiled, tenant_id, Scope.ALL, owned):
        rows, objects = counted[each.entry]
        counted[each.entry] = (rows + each.unreachable, objects)
    return counted


def _entries(
    compiled: CompiledMap,
    counts: Mapping[str, Sequence[int]],
    pending: Mapping[str, Mapping[str, int]],
) -> tuple[EntryShown, ...]:
    """The entries that hang on transactions, in the file's order."""
    return tuple(
        EntryShown(
            name=each.name,
            class_=each.class_,
            rows=counts[each.name][0],
            objects=counts[each.name][1],
            pending=pending.get(each.name, {}),
        )
        for each in compiled.datamap.credentials
        if each.name in counts
    )
