"""The order in which entries are erased: none takes away what another still needs to be found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retention_worker.domain.datamap.columns import TableName, Where
from retention_worker.domain.datamap.credential import Credential, SetAndRemove
from retention_worker.domain.datamap.datamap import ACCOUNT, DataMap, disjoint
from retention_worker.domain.errors import DriftError
from retention_worker.domain.scope import CredentialClass
from retention_worker.store.catalog import Catalog
from retention_worker.store.mapsql.paths import as_link, is_parent_row


def children_first(datamap: DataMap, catalog: Catalog) -> list[Credential]:
    """Order the entries so that each is found when its turn comes, and no foreign key refuses.

    An entry goes before those that delete rows, or blank columns, on the way to it, whether or not
    a foreign key says so. Then a table that refers to another goes first, and so do columns that
    are blanked in a table whose rows go, or which refers to one. The file's order otherwise.

    Raises:
        DriftError: two entries each take away what the other needs; or biometrics, which may go
            alone, take away what leads to the rest.
    """
    waiting = list(datamap.credentials)
    found: list[Credential] = []
    while waiting:
        free = [entry for entry in waiting if not any(_needs(datamap, waiting, entry))]
        if not free:
            names = " and ".join(repr(entry.name) for entry in waiting)
            raise DriftError(
                f"config/datamap.yaml: credentials: {names} each erase what leads to the other: "
                "name another key, or make one entry of them"
            )
        # In a circle of foreign keys the file's order decides.
        quiet = [entry for entry in free if not any(_refers(catalog, waiting, entry))]
        found.append((quiet or free)[0])
        waiting.remove(found[-1])
    _refuse_cut_off(datamap, catalog)
    return found


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
            for name, column, where in _columns_read(datamap, other)
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


def _tables_between(
    datamap: DataMap, entry: Credential
) -> Iterator[tuple[TableName, Where | None]]:
    """The tables whose rows lead from the account to the entry's own, and which of their rows."""
    names = list(datamap.ancestors(entry.of))
    for name in names[1:] if is_parent_row(datamap, entry) else names:
        link = as_link(datamap, name)
        yield link.table, link.where


def _columns_read(
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
        # Where the rows in between are referred to, the database itself keeps them.
        guarded = any(key.parent == entry.table for key in catalog.foreign_keys)
        if guarded and entry.erase == "rows":
            continue
        for other in datamap.credentials:
            if other.class_ is CredentialClass.OTHER and _cuts_off(datamap, entry, other):
                raise DriftError(
                    f"config/datamap.yaml: credentials[{entry.name}]: is erased with the "
                    f"biometrics and leads to {other.name!r}, which stays: nothing would find "
                    "that again: give it another way"
                )
