"""The grants of the least-privilege role: what the map's statements need and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.service.checks.requirements import TableNeeds, needs
from retention_worker.service.checks.text import columns_sql, ident, table_sql
from retention_worker.store.catalog import BUILT_IN, Catalog


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
    found = needs(datamap, catalog)
    schemas = dict.fromkeys(
        (*(each.table.schema_name for each in found), *_schemas_of_types(found, catalog))
    )
    lines = [
        *_role(role, bypass_row_security),
        f"GRANT USAGE ON SCHEMA {columns_sql(schemas)} TO {ident(role)};",
        *(line for each in found for line in _table_grants(datamap, each, role)),
        *_signs(role),
        *_own_schema(schema_name, role),
    ]
    return "\n".join(lines) + "\n"


def _role(role: str, bypass_row_security: bool) -> Iterator[str]:
    yield "-- The worker's role: what the data map needs, and nothing else."
    yield f"-- CREATE ROLE {ident(role)} LOGIN PASSWORD '...';"
    if bypass_row_security:
        yield "-- Row-level security would hide rows that are due."
        yield f"ALTER ROLE {ident(role)} BYPASSRLS;"


def _schemas_of_types(found: Iterable[TableNeeds], catalog: Catalog) -> Iterator[str]:
    """Where types and their operators live that are not the server's own: statements name them."""
    for each in found:
        table = catalog.tables.get(each.table)
        columns = table.columns if table is not None else {}
        for name in {**each.read, **each.write}:
            if name in columns:
                found_in = {columns[name].type_schema, columns[name].operators}
                yield from sorted(found_in - {BUILT_IN})


def _signs(role: str) -> Iterator[str]:
    yield "-- How far standbys are behind, and who waits: without it a standby stops the worker."
    yield f"GRANT pg_read_all_stats TO {ident(role)};"


def _own_schema(schema_name: str, role: str) -> Iterator[str]:
    schema = ident(schema_name)
    yield "-- The worker's own tables; `retention-worker migrate` makes them."
    yield f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {ident(role)};"
    yield "-- What was erased and since when, for the application (after `migrate`):"
    yield f"-- GRANT USAGE ON SCHEMA {schema} TO application;"
    yield f"-- GRANT SELECT ON {schema}.{ident('erased')} TO application;"


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
