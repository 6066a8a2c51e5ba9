"""Foreign keys onto erased tables: what a deletion takes along, and what stands in its way."""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.domain.datamap.columns import TableName, Where
from retention_worker.domain.datamap.credential import Credential
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.scope import CredentialClass, Scope
from retention_worker.service.checks.examined import Examined, blanked, deleted
from retention_worker.service.checks.finding import Finding, refuse, warn
from retention_worker.service.checks.requirements import named_columns
from retention_worker.service.checks.text import comma, ident, table_sql
from retention_worker.store.examine import Reference
from retention_worker.store.mapsql.order import columns_read, gives_up

_CASCADE, _SET_NULL, _SET_DEFAULT = "c", "n", "d"
_ACTIONS = {_CASCADE: "ON DELETE CASCADE", _SET_NULL: "ON DELETE SET NULL"}
_ACTIONS |= {_SET_DEFAULT: "ON DELETE SET DEFAULT"}


def reaching(case: Examined) -> Iterator[Finding]:
    """Actions that delete or change rows which no entry of that scope erases."""
    scopes = _scopes(case)
    roots = _roots(case)
    for reference in case.facts.references:
        scope = scopes.get(reference.parent_oid)
        if scope is None or reference.on_delete not in _ACTIONS:
            continue
        why = _stays(case.datamap, reference.root, scope)
        if why is None:
            if reference.root == roots.get(reference.parent_oid) == reference.child:
                yield from _to_itself(reference)
        elif reference.on_delete == _CASCADE or not _declared(case, reference, scope):
            yield refuse(
                "cascade",
                reference.parent,
                f"{_called(reference)} has {_ACTIONS[reference.on_delete]}, and {reference.child} "
                f"{why}: {_cure(reference)}",
                _drop(reference),
            )


def _to_itself(reference: Reference) -> Iterator[Finding]:
    if reference.on_delete == _CASCADE:
        yield warn(
            "cascade-to-itself",
            reference.parent,
            f"{_called(reference)} has ON DELETE CASCADE to its own table: rows of another account "
            "that refer to an erased row would go with it: make sure that none can, or drop it",
            _drop(reference),
        )


def _cure(reference: Reference) -> str:
    if reference.on_delete == _CASCADE:
        return "declare it as a credential with erase: rows that goes no later, or drop the key"
    blanks = ", ".join(f"{column}: null" for column in reference.child_columns)
    return f"declare an entry on it with erase: {{set: {{{blanks}}}}}, or drop the key"


def standing_in_the_way(case: Examined) -> Iterator[Finding]:
    """Keys without an action, of rows that stay: the server would refuse the deletion."""
    erased = {entry.table for entry in deleted(case.datamap)}
    roots = _roots(case)
    for reference in case.facts.references:
        parent = roots.get(reference.parent_oid)
        if parent not in erased or reference.on_delete in _ACTIONS or reference.root == parent:
            continue
        scope = _smallest_scope(case.datamap, parent)
        why = _stays(case.datamap, reference.root, scope)
        mine = [entry for entry in deleted(case.datamap) if entry.table == parent]
        if why is None or all(
            _is_link(case, entry, reference) or _in_one_statement(case, entry, reference)
            for entry in mine
        ):
            continue
        column = reference.child_columns[0]
        # Of a table of which a part goes, the part that stays may refer to nothing.
        partly = any(entry.table == reference.root for entry in _covered(case.datamap, scope))
        make = warn if partly else refuse
        yield make(
            "foreign-key",
            reference.parent,
            f"{_called(reference)} stands in the way of erasing {parent}, and {reference.child} "
            f"{why}: declare it as a credential (then it goes first), or give the key ON DELETE "
            f"SET NULL and declare erase: {{set: {{{column}: null}}}}, or drop it",
            _drop(reference),
        )


def links_to_their_rows(case: Examined) -> Iterator[Finding]:
    """Rows that are found by what refers to them: neither goes before the other, only with it."""
    for entry in deleted(case.datamap):
        for reference in case.facts.references:
            if _is_link(case, entry, reference) and not _in_one_statement(case, entry, reference):
                blanks = ", ".join(f"{column}: null" for column in reference.child_columns)
                yield refuse(
                    "link-row",
                    f"credentials[{entry.name}]",
                    f"its rows are found by way of {reference.root}, whose {_called(reference)} "
                    "refers to them, so that the server refuses to delete them alone: declare what "
                    "refers as a credential of the same class, by one entry that is found the same "
                    f"way, with erase: rows or {{set: {{{blanks}}}}} (then both go in one "
                    "statement), or give the key ON DELETE CASCADE or SET NULL",
                    _drop(reference),
                )


def _is_link(case: Examined, entry: Credential, reference: Reference) -> bool:
    """Whether the rows that refer to the entry's lead to them, by a key that does not act."""
    accounts = case.datamap.accounts.table
    read = {
        column for name, column, _ in columns_read(case.datamap, entry) if name == reference.root
    }
    # The accounts' own id leads everywhere.
    leads = read if reference.root != accounts else read & set(reference.child_columns)
    refers = _roots(case).get(reference.parent_oid) == entry.table != reference.root
    return refers and bool(leads) and reference.on_delete not in _ACTIONS


def _in_one_statement(case: Examined, entry: Credential, reference: Reference) -> bool:
    """Whether another entry of the same step gives up the reference, of each row on the way."""
    if case.compiled is None:
        return False
    wheres = [
        where for name, _, where in columns_read(case.datamap, entry) if name == reference.root
    ]
    steps = [[each.entry for each in step.entries] for step in case.compiled.steps]
    return any(
        other.table == reference.root
        and gives_up(other, reference.child_columns)
        and all(_is_part(where, other.where) for where in wheres or [None])
        for step in steps
        if entry in step
        for other in step
    )


def _is_part(where: Where | None, of: Where | None) -> bool:
    """Whether all rows that fit one fit the other, too."""
    told = where or {}
    return all(name in told and set(told[name]) <= set(of[name]) for name in of) if of else True


def blanked_keys(case: Examined) -> Iterator[Finding]:
    """Columns that are blanked while other rows refer to them."""
    roots = _roots(case)
    for entry, erase in blanked(case.datamap):
        for reference in case.facts.references:
            columns = [each for each in erase.columns if each in reference.parent_columns]
            if columns and roots.get(reference.parent_oid) == entry.table:
                yield refuse(
                    "blanked-key",
                    f"credentials[{entry.name}]",
                    f"{_called(reference)} refers to {comma(columns)}, which is blanked: take the "
                    "column out, or drop the key",
                    _drop(reference),
                )


def _roots(case: Examined) -> dict[int, TableName]:
    return {each.oid: each.root for each in case.facts.relations}


def _scopes(case: Examined) -> dict[int, Scope]:
    """The smallest scope in which rows of a table go, whether by an entry or by a cascade."""
    erased = {entry.table for entry in deleted(case.datamap)}
    found = {
        each.oid: _smallest_scope(case.datamap, each.root)
        for each in case.facts.relations
        if each.root in erased
    }
    waiting = list(found)
    while waiting:
        oid = waiting.pop()
        for reference in case.facts.references:
            if reference.parent_oid != oid or reference.on_delete != _CASCADE:
                continue
            child = reference.child_oid
            if found.get(child) in (None, Scope.ALL) and found.get(child) is not found[oid]:
                found[child] = found[oid]
                waiting.append(child)
    return found


def _smallest_scope(datamap: DataMap, name: TableName) -> Scope:
    classes = {entry.class_ for entry in deleted(datamap) if entry.table == name}
    return Scope.BIOMETRICS if CredentialClass.BIOMETRIC in classes else Scope.ALL


def _covered(datamap: DataMap, scope: Scope) -> Iterator[Credential]:
    return (entry for entry in deleted(datamap) if scope.covers(entry.class_))


def _stays(datamap: DataMap, name: TableName, scope: Scope) -> str | None:
    """Why rows of the table stay when the scope is erased; None where they all go."""
    entries = [entry for entry in datamap.credentials if entry.table == name]
    rows = [entry for entry in deleted(datamap) if entry.table == name]
    if any(each.table == name for each in datamap.retained):
        return "is retained"
    if any(not scope.covers(entry.class_) for entry in entries):
        return "is of class other, which stays when biometrics go"
    if len(rows) < len(entries):
        return "keeps its rows, of which columns are blanked"
    if rows:
        return None
    mapped = any(each.table == name for each in named_columns(datamap))
    return "is kept" if mapped else "is not in the data map"


def _declared(case: Examined, reference: Reference, scope: Scope) -> bool:
    """Whether the map blanks the referring columns too, no later than the key's action does."""
    promised = {
        column
        for entry, erase in blanked(case.datamap)
        if entry.table == reference.root and scope.covers(entry.class_)
        for column, value in erase.set.items()
        if value is None or reference.on_delete == _SET_DEFAULT
    }
    return set(reference.child_columns) <= promised


def _called(reference: Reference) -> str:
    return f"foreign key {reference.name} of {reference.child}"


def _drop(reference: Reference) -> str:
    # What to do instead is the owner's to decide, so the cure is a comment.
    return f"-- ALTER TABLE {table_sql(reference.child)} DROP CONSTRAINT {ident(reference.name)};"
