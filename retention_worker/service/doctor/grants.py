"""The grants of the least-privilege role: what the map's statements need and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.domain.datamap import DataMap
from retention_worker.service.doctor.needs import TableNeeds, needs
from retention_worker.service.doctor.text import columns_sql, ident, table_sql
from retention_worker.store.catalog import Catalog

__all__ = ["grants_sql"]


def grants_sql(
    datamap: DataMap,
    catalog: Catalog,
    schema_name: str,
    role: str,
    *,
    bypass_row_security: bool = False,
) -> str:
    """The role's grants as a script for the owner of the tables (or a superuser).

    Args:
        datamap: names the tables.
        catalog: says which columns are primary keys.
        schema_name: the worker's own schema.
        role: the worker's role, made beforehand.
        bypass_row_security: a mapped table has row-level security.
    """
    lines = [
        f"-- The role {role}: what the data map needs, and nothing else.",
        f"-- CREATE ROLE {ident(role)} LOGIN PASSWORD '...';",
    ]
    if bypass_row_security:
        lines += [
            "-- Row-level security would hide rows that are due.",
            f"ALTER ROLE {ident(role)} BYPASSRLS;",
        ]
    found = needs(datamap, catalog)
    schemas = dict.fromkeys(each.table.schema_name for each in found)
    lines.append(f"GRANT USAGE ON SCHEMA {columns_sql(schemas)} TO {ident(role)};")
    for each in found:
        lines += _table_grants(datamap, each, role)
    lines += [
        "-- The worker's own tables; `retention-worker migrate` makes them.",
        f"CREATE SCHEMA IF NOT EXISTS {ident(schema_name)} AUTHORIZATION {ident(role)};",
        "-- What was erased and since when, for the application (after `migrate`):",
        f"-- GRANT USAGE ON SCHEMA {ident(schema_name)} TO application;",
        f"-- GRANT SELECT ON {ident(schema_name)}.{ident('erased')} TO application;",
    ]
    return "\n".join(lines) + "\n"


def _table_grants(datamap: DataMap, found: TableNeeds, role: str) -> Iterator[str]:
    target = f"ON {table_sql(found.table)} TO {ident(role)};"
    yield f"GRANT SELECT ({columns_sql(found.read)}) {target}"
    if found.write:
        yield f"GRANT UPDATE ({columns_sql(found.write)}) {target}"
    elif found.lock:
        column = datamap.accounts.id[0]
        # The id is the one column whose change foreign keys notice, and an UPDATE of it that the
        # worker never sends could at worst fail; activity or tenant would decide what is erased.
        yield (
            "-- FOR UPDATE asks for UPDATE on one column; no statement changes it, and the keys "
            "that refer to an id guard it."
        )
        yield f"GRANT UPDATE ({ident(column)}) {target}"
    if found.delete:
        yield f"GRANT DELETE {target}"
