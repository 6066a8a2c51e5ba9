"""Published tables: without a replica identity the server refuses to delete or change rows."""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.service.checks.examined import Examined, blanked, deleted, erased_tables
from retention_worker.service.checks.finding import Finding, refuse
from retention_worker.service.checks.text import table_sql


def replica_identity(case: Examined) -> Iterator[Finding]:
    """Tables (and partitions) whose changes are published and whose rows nothing names."""
    deletes = {entry.table for entry in deleted(case.datamap)}
    updates = {entry.table for entry, _ in blanked(case.datamap)}
    for root in erased_tables(case.datamap):
        for relation in case.facts.leaves(root):
            published = (relation.publishes_deletes and root in deletes) or (
                relation.publishes_updates and root in updates
            )
            if published and not relation.has_identity:
                yield refuse(
                    "replica-identity",
                    relation.name,
                    "is published without a replica identity, so that no row of it can be erased: "
                    "give it a primary key, or a replica identity",
                    f"ALTER TABLE {table_sql(relation.name)} REPLICA IDENTITY FULL;",
                )
