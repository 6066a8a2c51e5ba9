"""The joins of the map, one by one: which key refers to which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from retention_worker.domain.datamap.columns import TableName
from retention_worker.domain.datamap.credential import Credential
from retention_worker.domain.datamap.datamap import ACCOUNT, TRANSACTION, DataMap, Link
from retention_worker.service.checks.requirements import parent_table


@dataclass(frozen=True, kw_only=True)
class Edge:
    """`key` of `child` refers to `parent_key` of `parent`; `subject` is its place in the map."""

    subject: str
    child: TableName
    key: tuple[str, ...]
    tenant: str | None
    partial: bool
    of: str
    parent: TableName
    parent_key: tuple[str, ...]


def edges(datamap: DataMap) -> Iterator[Edge]:
    """Every join; an entry on its parent's own rows has none."""
    accounts = datamap.accounts
    for source in accounts.activity:
        yield Edge(
            subject=f"accounts.activity[{source.table}]",
            child=source.table,
            key=source.key,
            tenant=source.tenant,
            partial=False,
            of=ACCOUNT,
            parent=accounts.table,
            parent_key=accounts.id,
        )
    found = datamap.transactions
    if found is not None:
        yield Edge(
            subject="transactions",
            child=found.table,
            key=found.account,
            tenant=found.tenant,
            partial=False,
            of=ACCOUNT,
            parent=accounts.table,
            parent_key=found.parent_key or accounts.id,
        )
    for name, link in datamap.links.items():
        yield _edge(datamap, f"links.{name}", link)
    for entry in datamap.credentials:
        if not _is_parent_row(datamap, entry):
            yield _edge(datamap, f"credentials[{entry.name}]", entry)


def _edge(datamap: DataMap, subject: str, child: Credential | Link) -> Edge:
    return Edge(
        subject=subject,
        child=child.table,
        key=child.key,
        tenant=child.tenant,
        partial=isinstance(child, Credential) and child.where is not None,
        of=child.of,
        parent=parent_table(datamap, child.of),
        parent_key=datamap.parent_key(child),
    )


def _is_parent_row(datamap: DataMap, entry: Credential) -> bool:
    same = entry.table == parent_table(datamap, entry.of)
    return same and entry.key == datamap.parent_id(entry.of)


def tenant_of(datamap: DataMap, name: str) -> str | None:
    """The tenant column of account, transaction or a link."""
    if name == ACCOUNT:
        return datamap.accounts.tenant
    if name == TRANSACTION and datamap.transactions is not None:
        return datamap.transactions.tenant
    return datamap.links[name].tenant
