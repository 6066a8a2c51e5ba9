"""Columns that an entry blanks: would the database take the blank."""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.domain.datamap.credential import Credential, SetAndRemove
from retention_worker.domain.scope import Scope
from retention_worker.service.checks.examined import Examined, blanked
from retention_worker.service.checks.finding import Finding, refuse, warn
from retention_worker.service.checks.requirements import names_row
from retention_worker.service.checks.text import comma
from retention_worker.store.examine import Index


def blanks(case: Examined) -> Iterator[Finding]:
    """NULL where the table, a partition or a domain says NOT NULL; columns that are generated."""
    for entry, erase in blanked(case.datamap):
        subject = f"credentials[{entry.name}]"
        for column in erase.columns:
            found = list(case.facts.blankable(entry.table, column))
            if any(each.is_generated for each in found):
                yield refuse(
                    "generated-column",
                    subject,
                    f"{entry.table}.{column} is generated and cannot be set: blank the columns "
                    "that it is made of, and take this one out",
                )
            elif erase.set.get(column, "") is None and any(each.not_null for each in found):
                yield refuse(
                    "not-null",
                    subject,
                    f"{entry.table}.{column} is NOT NULL: write a value that says nothing "
                    "instead of null, with {id} in it where it must be unique",
                )


def named_for_ever(case: Examined) -> Iterator[Finding]:
    """Objects whose row stays and goes on naming them: none of them would ever be deleted."""
    for entry, erase in blanked(case.datamap):
        for source in entry.objects:
            relation = case.facts.catalog.tables.get(entry.table)
            if relation is None or source.column not in relation.columns:
                continue  # said already
            lets_go = source.column in erase.set or any(
                _goes_along(entry, other)
                and (not isinstance(other.erase, SetAndRemove) or source.column in other.erase.set)
                for other in case.datamap.credentials
            )
            if not lets_go:
                yield refuse(
                    "kept-objects",
                    f"credentials[{entry.name}]",
                    f"its rows stay and go on naming the objects of {entry.table}."
                    f"{source.column}, which are kept for as long as a row names them: add "
                    f"{source.column} to set, or write erase: rows",
                )


def _goes_along(entry: Credential, other: Credential) -> bool:
    """Whether the other takes every row that this one takes, whenever this one does."""
    same_rows = (other.table, other.of, other.key) == (entry.table, entry.of, entry.key)
    where = entry.where or {}
    wider = all(
        name in where and set(where[name]) <= set(values)
        for name, values in (other.where or {}).items()
    )
    scopes = [scope for scope in Scope if scope.covers(entry.class_)]
    return same_rows and wider and all(scope.covers(other.class_) for scope in scopes)


def unique_blanks(case: Examined) -> Iterator[Finding]:
    """A constant in a unique index: the second row that is blanked would be refused."""
    for entry, erase in blanked(case.datamap):
        seen: set[str] = set()
        for relation in case.facts.of(entry.table):
            for index in case.facts.indexes.get(relation.oid, ()):
                collides = _collides(case, entry, erase, index)
                if collides and not seen & collides:
                    seen |= collides
                    yield _collision(entry, index, collides)


def _collision(entry: Credential, index: Index, columns: set[str]) -> Finding:
    # Nobody but the server can say whether the blank lies within a partial index.
    make = warn if index.predicate else refuse
    return make(
        "unique-blank",
        f"credentials[{entry.name}]",
        f"unique index {index.name} of {entry.table} would hold the same blank in "
        f"{comma(sorted(columns))} twice"
        + (f" (where {index.predicate})" if index.predicate else "")
        + ": write null where the column may be NULL, or a text with {id} in it",
    )


def _collides(case: Examined, entry: Credential, erase: SetAndRemove, index: Index) -> set[str]:
    """The blanked columns of a unique index that nothing else in it keeps unique."""
    table = case.facts.catalog.tables.get(entry.table)
    blanks = {column: value for column, value in erase.set.items() if column in index.mentions}
    if not index.is_unique or not blanks or table is None:
        return set()
    # Without a primary key, {id} is the entry's key, which rows of one parent share.
    id_tells_apart = table.proves_unique(table.primary_key or entry.key)
    constant = {
        column
        for column, value in blanks.items()
        if (index.nulls_are_equal if value is None else not (id_tells_apart and names_row(value)))
    }
    # One NULL, or one id, in an index makes the row unlike every other.
    apart = len(constant) < len(blanks) or table.proves_unique(index.mentions - constant)
    return set() if apart else constant
