"""The order in which entries are erased: none takes away what another still needs to be found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from retention_worker.domain.datamap.columns import TableName, Where
from retention_worker.domain.datamap.credential import Credential, SetAndRemove
from retention_worker.domain.datamap.datamap import ACCOUNT, DataMap, disjoint
from retention_worker.domain.errors import DriftError
from retention_worker.domain.scope import CredentialClass
from retention_worker.store.catalog import Catalog
from retention_worker.store.mapsql.paths import as_link, is_parent_row, top_name

Step = tuple[Credential, ...]


def children_first(datamap: DataMap, catalog: Catalog) -> list[Step]:
    """Order the entries so that each is found when its turn comes, and no foreign key refuses.

    An entry goes before those that delete rows, or blank columns, on the way to it, whether or not
    a foreign key says so. Then a table that refers to another goes first, and so do columns that
    are blanked in a table whose rows go, or which refers to one. The file's order otherwise.

    Where both are asked for, because rows are found by way of what refers to them, the entries are
    one step: one statement finds all of it first, and its foreign keys are asked at its end. Those
    that no statement can do together are steps of their own, and the server refuses them.

    Raises:
        DriftError: two entries each take away what the other needs; or biometrics, which may go
            alone, take away what leads to the rest.
    """
    waiting = list(datamap.credentials)
    found: list[Step] = []
    while waiting:
        step = _next_step(datamap, catalog, waiting)
        waiting = [entry for entry in waiting if entry not in step]
        ordered = _in_turn(datamap, catalog, step)
        found += [ordered] if _fit_together(datamap, ordered) else [(each,) for each in ordered]
    _refuse_cut_off(datamap, catalog)
    return found


def _next_step(
    datamap: DataMap, catalog: Catalog, waiting: Sequence[Credential]
) -> list[Credential]:
    """The first waiting entries of which each must go before the others, and before nobody else."""
    before = {
        entry.name: [
            *_needs(datamap, waiting, entry),
            *_in_the_way(catalog, waiting, entry),
        ]
        for entry in waiting
    }
    reach = {entry.name: _reached(before, entry) for entry in waiting}
    steps = [
        [entry for entry in waiting if entry.name in names]
        for names in reach.values()
        if all(reach[name] == names for name in names)
    ]
    # In a circle of foreign keys the file's order decides.
    quiet = [
        step
        for step in steps
        if all(other in step for entry in step for other in _refers(catalog, waiting, entry))
    ]
    return (quiet or steps)[0]


def _reached(before: Mapping[str, Sequence[Credential]], entry: Credential) -> set[str]:
    """The names of all that must go before the entry, however far away; its own among them."""
    found, ahead = {entry.name}, [entry]
    while ahead:
        more = [each for each in before[ahead.pop().name] if each.name not in found]
        found |= {each.name for each in more}
        ahead += more
    return found


def _in_turn(datamap: DataMap, catalog: Catalog, step: Sequence[Credential]) -> Step:
    """The entries of a step, each before those that take away what it is found by."""
    waiting = list(step)
    found: list[Credential] = []
    while waiting:
        free = [entry for entry in waiting if not any(_needs(datamap, waiting, entry))]
        if not free:
            names = " and ".join(repr(entry.name) for entry in waiting)
            raise DriftError(
                f"config/datamap.yaml: credentials: {names} each erase what leads to the other: "
                "name another key, or make one entry of them"
            )
        quiet = [entry for entry in free if not any(_refers(catalog, waiting, entry))]
        found.append((quiet or free)[0])
        waiting.remove(found[-1])
    return tuple(found)


def _fit_together(datamap: DataMap, step: Step) -> bool:
    """Whether one statement does it: one class, rows changed once, and walked by the same rows."""
    tops = {name for entry in step if (name := top_name(datamap, entry)) is not None}
    tables = {as_link(datamap, name).table for name in tops}
    return (
        len({entry.class_ for entry in step}) == 1
        and len(tops) <= 1
        # What hangs on the account itself is told apart by the key of the rows that are walked.
        and (not tops or all(top_name(datamap, e) or e.table in tables for e in step))
        and not any(_same_rows(*pair) for pair in combinations(step, 2))
    )


def _same_rows(entry: Credential, other: Credential) -> bool:
    """Whether a row may be changed twice, of which the server does one; deleted twice is once."""
    blanked = isinstance(entry.erase, SetAndRemove) or isinstance(other.erase, SetAndRemove)
    same = entry.table == other.table and not disjoint(entry.where, other.where)
    return blanked and same


def _needs(
    datamap: DataMap, waiting: Sequence[Credential], entry: Credential
) -> Iterator[Credential]:
    """The waiting entries that can't be found any more once this one was erased."""
    for other in waiting:
        if other is not entry and _cuts_off(datamap, entry, other):
            yield other


def _cuts_off(datamap: DataMap, entry: Credential, other: Credential) -> bool:
    """Whether it takes rows, or columns of rows, by which the other is found.

    Rows of another kind are not touched: where the two `where` exclude each other nothing is lost.
    """
    if isinstance(entry.erase, SetAndRemove):
        blanked = set(entry.erase.columns)
        return any(
            entry.table == name and column in blanked and not disjoint(entry.where, where)
            for name, column, where in columns_read(datamap, other)
        )
    return any(
        entry.table == name and not disjoint(entry.where, where)
        for name, where in _tables_between(datamap, other)
    )


def _refers(
    catalog: Catalog, waiting: Sequence[Credential], entry: Credential
) -> Iterator[Credential]:
    """The waiting entries on tables that refer to rows which this one deletes."""
    if isinstance(entry.erase, SetAndRemove):
        return
    children = {key.child for key in catalog.foreign_keys if key.parent == entry.table}
    for other in waiting:
        blanks_here = other.table == entry.table and isinstance(other.erase, SetAndRemove)
        if blanks_here or other.table in children:
            yield other


def _in_the_way(
    catalog: Catalog, waiting: Sequence[Credential], entry: Credential
) -> Iterator[Credential]:
    """The waiting entries without whose turn the server refuses to delete this one's rows."""
    if isinstance(entry.erase, SetAndRemove):
        return
    keys = [key for key in catalog.foreign_keys if key.parent == entry.table and not key.acts]
    for other in waiting:
        if any(other.table == key.child and gives_up(other, key.columns) for key in keys):
            yield other


def gives_up(entry: Credential, columns: Sequence[str]) -> bool:
    """Whether no row that the entry has erased refers to another by these columns any more."""
    if not isinstance(entry.erase, SetAndRemove):
        return True
    return any(name in columns and value is None for name, value in entry.erase.set.items())


def _tables_between(
    datamap: DataMap, entry: Credential
) -> Iterator[tuple[TableName, Where | None]]:
    """The tables whose rows lead from the account to the entry's own, and which of their rows."""
    names = list(datamap.ancestors(entry.of))
    for name in names[1:] if is_parent_row(datamap, entry) else names:
        link = as_link(datamap, name)
        yield link.table, link.where


def columns_read(
    datamap: DataMap, entry: Credential
) -> Iterator[tuple[TableName, str, Where | None]]:
    """The columns by which the entry's rows, and their objects, are found, and of which rows."""
    own = (*entry.key, *(entry.where or ()), *(source.column for source in entry.objects))
    yield from ((entry.table, column, entry.where) for column in own)
    parent, key = entry.of, datamap.parent_key(entry)
    while parent != ACCOUNT:
        link = as_link(datamap, parent)
        columns = (*key, *link.key, *(link.where or ()))
        yield from ((link.table, column, link.where) for column in columns)
        parent, key = link.of, datamap.parent_key(link)
    yield from ((datamap.accounts.table, column, None) for column in key)


def _refuse_cut_off(datamap: DataMap, catalog: Catalog) -> None:
    """Raises DriftError where biometrics, erased alone, would cut off what stays for now."""
    for entry in datamap.credentials:
        if entry.class_ is not CredentialClass.BIOMETRIC:
            continue
        for other in datamap.credentials:
            if other.class_ is CredentialClass.BIOMETRIC or not _cuts_off(datamap, entry, other):
                continue
            # Where what they lead to refers to the rows, the database itself keeps them.
            below = {other.table, *(name for name, _ in _tables_between(datamap, other))}
            keys = [key for key in catalog.foreign_keys if key.parent == entry.table]
            if entry.erase == "rows" and any(key.child in below for key in keys):
                continue
            raise DriftError(
                f"config/datamap.yaml: credentials[{entry.name}]: is erased with the "
                f"biometrics and leads to {other.name!r}, which stays: nothing would find "
                "that again: give it another way"
            )
