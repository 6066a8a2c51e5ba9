"""Tables and columns that the map names: are they there, and can they be used so."""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.domain.datamap.columns import TableName
from retention_worker.service.checks.examined import Examined, blanked, deleted, erased_tables
from retention_worker.service.checks.finding import Finding, refuse, warn
from retention_worker.service.checks.requirements import named_columns
from retention_worker.service.checks.text import comma

_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}


def missing(case: Examined) -> Iterator[Finding]:
    """Tables and columns that do not exist."""
    for each in named_columns(case.datamap):
        table = case.facts.catalog.tables.get(each.table)
        if table is None:
            yield refuse("table", each.table, "there is no such table: correct the name in the map")
            continue
        absent = [column for column in {**each.read, **each.write} if column not in table.columns]
        if absent:
            yield refuse(
                "column",
                each.table,
                f"has no column {comma(absent)}: correct the name in the map",
            )


def relations(case: Examined) -> Iterator[Finding]:
    """Views, foreign tables and the like where rows must be locked, deleted or changed."""
    datamap = case.datamap
    writes: dict[TableName, str] = {datamap.accounts.table: "locked"}
    writes |= {entry.table: "blanked" for entry, _ in blanked(datamap)}
    writes |= {entry.table: "deleted" for entry in deleted(datamap)}
    for name, verb in writes.items():
        relation = case.facts.table(name)
        if relation is None:
            continue
        able = relation.can_delete if verb == "deleted" else relation.can_update
        if relation.kind in "mf" or (relation.kind == "v" and not able):
            yield refuse(
                "relation",
                name,
                f"is {_KINDS[relation.kind]} whose rows cannot be {verb}: name the table that "
                "holds the rows",
            )


def inheritance(case: Examined) -> Iterator[Finding]:
    """Children by inheritance: statements on the parent reach them, its keys and triggers don't."""
    for name in dict.fromkeys((case.datamap.accounts.table, *erased_tables(case.datamap))):
        children = [
            each.name for each in case.facts.of(name) if each.name != name and not each.is_partition
        ]
        if children:
            yield warn(
                "inheritance",
                name,
                f"has children by inheritance ({comma(children)}): their rows are erased too, but "
                "no unique index or foreign key of the parent holds for them: look at each",
            )


def drift(case: Examined) -> Iterator[Finding]:
    """What only shows when the map becomes statements, such as a type that is no time."""
    if case.drift is not None:
        where, _, rest = case.drift.removeprefix("config/datamap.yaml: ").partition(": ")
        yield refuse("map", where, rest) if rest else refuse("map", "data map", where)
