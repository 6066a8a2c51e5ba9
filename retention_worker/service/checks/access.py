"""Rights: privileges that the role lacks, and row-level security that would hide rows from it."""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.domain.datamap.columns import TableName
from retention_worker.service.checks.examined import Examined
from retention_worker.service.checks.finding import Finding, refuse
from retention_worker.service.checks.text import columns_sql, comma, ident, table_sql
from retention_worker.store.examine import Need, Privilege


def privileges(case: Examined) -> Iterator[Finding]:
    """What the statements need and the role may not do; a line for each table and privilege."""
    role = case.facts.server.role
    found: dict[tuple[TableName, Privilege], list[Need]] = {}
    for need in case.lacking:
        found.setdefault((need.table, need.privilege), []).append(need)
    for (table, privilege), lacking in found.items():
        columns = [need.column for need in lacking if need.column is not None]
        what, sql = _grant(case, table, privilege, columns)
        yield refuse(
            "privilege", table, f"role {role} lacks {what}: grant it", f"{sql} TO {ident(role)};"
        )


def _grant(
    case: Examined, table: TableName, privilege: Privilege, columns: list[str]
) -> tuple[str, str]:
    if privilege is Privilege.USAGE:
        schema = table.schema_name
        return f"USAGE on schema {schema}", f"GRANT USAGE ON SCHEMA {ident(schema)}"
    if privilege is Privilege.LOCK:
        column = case.datamap.accounts.id[0]
        return (
            f"UPDATE on one column, such as {column}, which locking its rows asks for",
            f"GRANT UPDATE ({ident(column)}) ON {table_sql(table)}",
        )
    if not columns:
        return privilege.value, f"GRANT {privilege.value} ON {table_sql(table)}"
    return (
        f"{privilege.value} on {comma(columns)}",
        f"GRANT {privilege.value} ({columns_sql(columns)}) ON {table_sql(table)}",
    )


def row_security(case: Examined) -> Iterator[Finding]:
    """Policies that apply to the role: rows that are due would vanish from its statements."""
    role = case.facts.server.role
    for relation in case.facts.relations:
        # Through its parent, a partition's own policies do not count.
        if relation.row_security and relation.name == relation.root:
            yield refuse(
                "row-security",
                relation.name,
                f"has row-level security, which hides rows from role {role}: let it bypass that",
                f"ALTER ROLE {ident(role)} BYPASSRLS;",
            )
