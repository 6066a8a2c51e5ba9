"""Indexes that the statements walk: without one, each batch reads a whole table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from retention_worker.domain.datamap.columns import TableName
from retention_worker.service.checks.examined import Examined, deleted
from retention_worker.service.checks.finding import Finding, warn
from retention_worker.service.checks.index_sql import create_index
from retention_worker.service.checks.parents import edges
from retention_worker.service.checks.text import comma, ident
from retention_worker.store.examine import Facts, Index

# What can be indexed: tables and partitioned tables.
_INDEXABLE = ("r", "p")


def activity_order(case: Examined) -> Iterator[Finding]:
    """The order in which a lane walks: tenant, activity, id."""
    accounts, facts = case.datamap.accounts, case.facts
    names = [time.column for time in accounts.last_activity]
    before = [accounts.tenant] if accounts.tenant else []
    after = [name for name in accounts.id if name not in before]
    if not _exist(facts, accounts.table, (*before, *names, *after)):
        return
    written = [facts.quoted(accounts.table, name) for name in names]
    wanted = [facts.quoted(accounts.table, name) for name in before]
    wanted.append(written[0] if len(written) == 1 else f"GREATEST({', '.join(written)})")
    wanted += [facts.quoted(accounts.table, name) for name in after]
    predicates = {f"{wanted[len(before)]} IS NOT NULL"}

    def fits(index: Index) -> bool:
        whole = index.predicate is None or index.predicate in predicates
        return whole and index.method == "btree" and list(index.keys[: len(wanted)]) == wanted

    if not _has(facts, accounts.table, fits):
        quoted = [ident(name) for name in names]
        expression = quoted[0] if len(quoted) == 1 else f"GREATEST({', '.join(quoted)})"
        keys = [*map(ident, before), expression, *map(ident, after)]
        yield warn(
            "index",
            accounts.table,
            f"has no index on ({', '.join(wanted)}), so that each page of candidates sorts the "
            "tenant's accounts: create it",
            create_index(facts, accounts.table, keys),
        )


def join_keys(case: Examined) -> Iterator[Finding]:
    """The keys by which rows are found; for activity elsewhere, its time after the key."""
    times = {source.table: source.at.column for source in case.datamap.accounts.activity}
    seen: set[tuple[TableName, tuple[str, ...]]] = set()
    for edge in edges(case.datamap):
        at = times.get(edge.child) if edge.subject.startswith("accounts.activity") else None
        columns = (*edge.key, at) if at is not None else edge.key
        if (edge.child, columns) in seen or not _exist(case.facts, edge.child, columns):
            continue
        seen.add((edge.child, columns))
        tenant = [edge.tenant] if edge.tenant is not None else []
        fits = _serves(case.facts, edge.child, edge.key, tenant, at, partial=edge.partial)
        if not _has(case.facts, edge.child, fits):
            yield _missing(case, edge.child, columns, f"{edge.subject} reads it whole")


def objects(case: Examined) -> Iterator[Finding]:
    """Columns that name objects: before one is deleted, every row that could name it is asked."""
    for entry in case.datamap.credentials:
        for source in entry.objects:
            if not _exist(case.facts, entry.table, (source.column,)):
                continue
            fits = _serves(case.facts, entry.table, (source.column,), [], None, partial=False)
            if not _has(case.facts, entry.table, fits):
                why = "asking whether a row still names an object reads it whole"
                yield _missing(case, entry.table, (source.column,), why)


def foreign_keys(case: Examined) -> Iterator[Finding]:
    """Keys onto rows that go: for each row the server looks for those that refer to it."""
    roots = {each.oid: each.root for each in case.facts.relations}
    gone = {entry.table for entry in deleted(case.datamap)}
    joined = {(edge.child, edge.key) for edge in edges(case.datamap)}
    for reference in case.facts.references:
        if roots.get(reference.parent_oid) not in gone:
            continue
        if (reference.root, reference.child_columns) in joined:
            continue
        fits = _serves(case.facts, reference.root, reference.child_columns, [], None, partial=False)
        found = case.around.indexes.get(reference.child_oid, ()) if case.around else ()
        if not any(map(fits, found)):
            why = f"each row of {reference.parent} that goes reads it whole ({reference.name})"
            yield _missing(case, reference.child, reference.child_columns, why)


def _missing(case: Examined, table: TableName, columns: Sequence[str], why: str) -> Finding:
    return warn(
        "index",
        table,
        f"has no index on ({comma(columns)}), so that {why}: create it",
        create_index(case.facts, table, list(map(ident, columns))),
    )


def _exist(facts: Facts, name: TableName, columns: Sequence[str]) -> bool:
    """Whether the table can have an index of these columns."""
    relation, table = facts.table(name), facts.catalog.tables.get(name)
    if relation is None or table is None or relation.kind not in _INDEXABLE:
        return False
    return set(columns) <= table.columns.keys()


def _has(facts: Facts, name: TableName, fits: Callable[[Index], bool]) -> bool:
    """Whether the table, or each of its partitions, has an index that fits."""
    relation = facts.table(name)
    leaves = facts.leaves(name)
    every = [[relation] if relation else [], leaves]
    return any(
        bool(group) and all(_one(facts, each.oid, fits) for each in group) for group in every
    )


def _one(facts: Facts, oid: int, fits: Callable[[Index], bool]) -> bool:
    return any(index.is_valid and fits(index) for index in facts.indexes.get(oid, ()))


def _serves(
    facts: Facts,
    name: TableName,
    key: Sequence[str],
    tenant: Sequence[str],
    then: str | None,
    *,
    partial: bool,
) -> Callable[[Index], bool]:
    """Whether an index finds the rows of a key; `partial`: the entry has a `where` of its own."""
    wanted = {facts.quoted(name, column) for column in key}
    usable = wanted | {facts.quoted(name, column) for column in tenant}
    # A key that is compared is not NULL, so such an index serves every comparison.
    predicates = {f"{column} IS NOT NULL" for column in wanted}
    last = facts.quoted(name, then) if then is not None else None

    def fits(index: Index) -> bool:
        if index.method not in ("btree", "hash"):
            return False
        if index.predicate is not None and not partial and index.predicate not in predicates:
            return False
        length = next(
            (at for at, each in enumerate(index.keys) if each not in usable), len(index.keys)
        )
        if not wanted <= set(index.keys[:length]):
            return False
        return last is None or index.keys[length : length + 1] == (last,)

    return fits
