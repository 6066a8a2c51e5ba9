"""Keys: can they be compared, and does one value mean one row."""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.domain.datamap.columns import TableName, Where
from retention_worker.domain.datamap.datamap import ACCOUNT, TRANSACTION
from retention_worker.service.checks.examined import Examined
from retention_worker.service.checks.finding import Finding, refuse, warn
from retention_worker.service.checks.parents import Edge, edges, tenant_of
from retention_worker.service.checks.text import comma


def types(case: Examined) -> Iterator[Finding]:
    """Keys whose types have no `=`, and those that it can only compare without the index."""
    for comparison in case.comparisons:
        found = comparison.found
        what = (
            f"{comparison.child} ({found.left_type}) refers to "
            f"{comparison.parent} ({found.right_type})"
        )
        if not found.comparable:
            yield refuse(
                "type",
                comparison.subject,
                f"{what}, and no operator compares the two: name the columns that refer to each "
                "other, or change the type of one",
            )
        elif not found.indexable:
            yield warn(
                "type",
                comparison.subject,
                f"{what}: one is converted to compare them, so that its index cannot serve: give "
                "both one type",
            )


def unique_accounts(case: Examined) -> Iterator[Finding]:
    """An account's id that two rows may have: one could be active and the other due."""
    accounts = case.datamap.accounts
    table = case.facts.catalog.tables.get(accounts.table)
    within = {*accounts.id, *([accounts.tenant] if accounts.tenant else [])}
    if table is None or not within <= table.columns.keys() or table.proves_unique(within):
        return
    yield refuse(
        "unique-id",
        "accounts.id",
        f"no unique index of {accounts.table} lies within {comma(sorted(within))}: name the key "
        "(and the tenant column) that tells accounts apart, and the table itself where this is "
        "a view",
    )


def unique_parents(case: Examined) -> Iterator[Finding]:
    """A key that is unique within a tenant at most, or nowhere, and that others refer to."""
    groups: dict[tuple[str, tuple[str, ...]], list[Edge]] = {}
    if case.datamap.transactions is not None:
        groups[TRANSACTION, case.datamap.transactions.id] = []
    for edge in edges(case.datamap):
        groups.setdefault((edge.of, edge.parent_key), []).append(edge)
    for (name, key), children in groups.items():
        yield from _parent(case, name, key, children)


def _parent(
    case: Examined, name: str, key: tuple[str, ...], children: list[Edge]
) -> Iterator[Finding]:
    datamap = case.datamap
    subject = {ACCOUNT: "accounts", TRANSACTION: "transactions"}.get(name, f"links.{name}")
    location = _location(case, name)
    table = case.facts.catalog.tables.get(location)
    if table is None or not set(key) <= table.columns.keys() or table.proves_unique(key):
        return
    tenant = tenant_of(datamap, name)
    without = [] if tenant else [subject]
    without += [edge.subject for edge in children if edge.tenant is None]
    what = f"no unique index proves {comma(key)} of {location} unique by itself"
    if without and datamap.accounts.tenant is not None:
        yield refuse(
            "unique-key",
            subject,
            f"{what}, so that another tenant's rows could have the same: write tenant: in "
            f"{comma(dict.fromkeys(without))}, or add a unique index",
        )
    elif name == ACCOUNT and key == datamap.accounts.id:
        return  # judged by `unique_accounts`: unique within the tenant, or refused
    elif tenant is None or not table.proves_unique({*key, tenant}):
        yield warn(
            "unique-key",
            subject,
            f"{what}, not even within a tenant: rows of two accounts that have the same would go "
            "together: add a unique index, or make sure that they are never given twice",
        )


def _location(case: Examined, name: str) -> TableName:
    if name == ACCOUNT:
        return case.datamap.accounts.table
    if name == TRANSACTION and case.datamap.transactions is not None:
        return case.datamap.transactions.table
    return case.datamap.links[name].table


def kinds(case: Examined) -> Iterator[Finding]:
    """A key that means rows of several tables, by a column beside it that says of which."""
    tables = {key.child: key.parent for key in case.facts.catalog.foreign_keys}
    wheres = _wheres(case)
    for edge in edges(case.datamap):
        table = case.facts.catalog.tables.get(edge.child)
        if table is None or len(edge.key) != 1 or tables.get(edge.child) == edge.parent:
            continue
        stem = edge.key[0].removesuffix("_id").removesuffix("Id")
        if stem == edge.key[0]:
            continue
        names = {f"{stem}{end}" for end in _KIND_ENDINGS} & table.columns.keys()
        told = names - set(wheres.get(edge.subject) or ())
        if names and told == names:
            (kind, *_) = sorted(names)
            yield refuse(
                "kind",
                edge.subject,
                f"{edge.child}.{edge.key[0]} stands beside {kind}, which says what it refers to, "
                f"and no foreign key ties it to {edge.parent}: rows of other kinds with the same "
                f"number would be taken for its own: write where: {{{kind}: ...}}",
            )


_KIND_ENDINGS = ("_type", "_kind", "_class", "Type", "Kind", "Class")


def _wheres(case: Examined) -> dict[str, Where | None]:
    datamap = case.datamap
    found: dict[str, Where | None] = {
        f"links.{name}": link.where for name, link in datamap.links.items()
    }
    found |= {f"credentials[{entry.name}]": entry.where for entry in datamap.credentials}
    if datamap.transactions is not None:
        found["transactions"] = datamap.transactions.where
    return found
