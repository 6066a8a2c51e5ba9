"""Tables that Citus spreads over nodes: a batch there is no one transaction, so it is refused."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg.sql import SQL, Identifier

from retention_worker.domain.datamap.columns import TableName
from retention_worker.store.connection.session import Session


def distributed(session: Session, names: Iterable[TableName]) -> list[TableName]:
    """Tables among the names that are distributed, as the catalog of Citus says, where it is there.

    Reference and local tables that Citus manages are on it too; a batch spans nodes with any.
    """
    schema = session.value("examine.citus")
    if schema is None:
        return []
    wanted = list(names)
    rows = session.rows(
        SQL(
            "SELECT n.nspname AS schema_name, c.relname AS name FROM {}.pg_dist_partition d "
            "JOIN pg_catalog.pg_class c ON c.oid = d.logicalrelid "
            "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            "JOIN unnest(%(schemas)s::text[], %(names)s::text[]) AS w (schema_name, name) "
            "ON w.schema_name = n.nspname AND w.name = c.relname ORDER BY 1, 2"
        ).format(Identifier(schema)),
        {
            "schemas": [each.schema_name for each in wanted],
            "names": [each.name for each in wanted],
        },
    )
    return [TableName(schema_name=row["schema_name"], name=row["name"]) for row in rows]
