"""Forgotten data: tables that hang on people and stand nowhere, columns that look biometric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from retention_worker.domain.datamap.columns import TableName
from retention_worker.domain.scope import CredentialClass
from retention_worker.service.checks.examined import Examined, blanked, deleted
from retention_worker.service.checks.finding import Finding, warn
from retention_worker.service.checks.looks_biometric import is_vector, looks_biometric
from retention_worker.service.checks.parents import edges
from retention_worker.service.checks.requirements import named_columns
from retention_worker.service.checks.text import comma
from retention_worker.store.examine import OtherTable

_DECLARE = "declare it under credentials, or write it under retained once it was looked at"


def undeclared_copies(case: Examined) -> Iterator[Finding]:
    """Tables that refer to accounts, transactions or links, by a key or by a column's name."""
    datamap = case.datamap
    parents = {datamap.accounts.table, *(link.table for link in datamap.links.values())}
    if datamap.transactions is not None:
        parents.add(datamap.transactions.table)
    oids = {each.oid: each.root for each in case.facts.relations if each.root in parents}
    names = _key_names(case)
    for table in _undeclared(case):
        referred = sorted({str(oids[oid]) for oid in table.refers_to if oid in oids})
        alike = [column for column in table.columns if _plain(column) in names]
        if referred or alike:
            how = f"refers to {comma(referred)}" if referred else f"has {comma(alike)}"
            yield warn(
                "undeclared-copy",
                table.name,
                f"{how} and stands nowhere in the map, so that what it holds of a person stays: "
                f"{_DECLARE}",
            )


def biometric_columns(case: Examined) -> Iterator[Finding]:
    """Columns whose name or type says biometric, and that no biometric entry erases."""
    for other in _undeclared(case):
        yield from _biometric(other.name, other.columns, f"no entry claims it: {_DECLARE}")
    retained = {part.table for part in case.datamap.retained if part.where is None}
    for name, table in case.facts.catalog.tables.items():
        if name in retained:
            continue
        columns = {column.name: column.type_name for column in table.columns.values()}
        yield from _biometric(
            name,
            _unclaimed(case, name, columns),
            "no entry of class biometric erases it: declare one, or write the table under retained",
        )


def _biometric(name: TableName, columns: Mapping[str, str], cure: str) -> Iterator[Finding]:
    found = [
        column for column, type_ in columns.items() if looks_biometric(name.name, column, type_)
    ]
    if found:
        yield warn("looks-biometric", name, f"{comma(found)} looks biometric, and {cure}")


def _unclaimed(case: Examined, name: TableName, columns: Mapping[str, str]) -> dict[str, str]:
    """The columns of a mapped table that no entry takes and that the map does not need."""
    rows = {entry.class_ for entry in deleted(case.datamap) if entry.table == name}
    if CredentialClass.BIOMETRIC in rows:
        return {}
    needed = {
        column for each in named_columns(case.datamap) if each.table == name for column in each.read
    }
    needed |= {
        column
        for entry, erase in blanked(case.datamap)
        if entry.table == name
        for column in erase.columns
    }
    rest = {column: type_ for column, type_ in columns.items() if column not in needed}
    if rows:
        # They go with all credentials, whatever they are called; a vector would stay till then.
        return {column: type_ for column, type_ in rest.items() if is_vector(type_)}
    return rest


def _undeclared(case: Examined) -> Iterator[OtherTable]:
    retained = {part.table for part in case.datamap.retained}
    for table in case.around.tables if case.around else ():
        if table.name not in retained:
            yield table


def _key_names(case: Examined) -> set[str]:
    """What columns that refer to something are called, such as transactionid."""
    tenants = {each.tenant for each in edges(case.datamap)} | {case.datamap.accounts.tenant}
    found = {column for edge in edges(case.datamap) for column in edge.key if column not in tenants}
    return {_plain(column) for column in found} - {"id"}


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
