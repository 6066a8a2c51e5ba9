"""CREATE INDEX that does not stop the application, under a name of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from retention_worker.domain.datamap.columns import TableName
from retention_worker.service.checks.text import ident, table_sql
from retention_worker.store.examine import Facts, Relation

_MAX_NAME_BYTES = 63
_DIGEST = 8


def create_index(facts: Facts, name: TableName, keys: Sequence[str]) -> str:
    """The statements that build an index of these quoted keys on a table.

    A partitioned table has no CONCURRENTLY: its partitions are built one by one and attached.
    """
    relation = facts.table(name)
    parts = [each for each in facts.of(name) if each.name != name and each.is_partition]
    if relation is None or relation.kind != "p":
        return "\n".join(_concurrently(facts, relation, name, keys))
    if any(each.kind == "p" for each in parts):
        return (
            f"-- {name} is partitioned on several levels: this stops writes while it builds.\n"
            f"CREATE INDEX IF NOT EXISTS {ident(_name(name, keys))} ON {_target(name, keys)};"
        )
    whole = ident(_name(name, keys))
    lines = [f"CREATE INDEX IF NOT EXISTS {whole} ON ONLY {_target(name, keys)};"]
    for part in parts:
        lines += _concurrently(facts, part, part.name, keys)
        index = f"{ident(name.schema_name)}.{whole}"
        part_index = f"{ident(part.name.schema_name)}.{ident(_name(part.name, keys))}"
        lines.append(f"ALTER INDEX {index} ATTACH PARTITION {part_index};")
    return "\n".join(lines)


def _concurrently(
    facts: Facts, relation: Relation | None, name: TableName, keys: Sequence[str]
) -> Iterator[str]:
    index = _name(name, keys)
    present = facts.indexes.get(relation.oid, ()) if relation else ()
    if any(each.name == index and not each.is_valid for each in present):
        # What an interrupted build left behind would count as existing.
        yield f"DROP INDEX CONCURRENTLY {ident(name.schema_name)}.{ident(index)};"
    yield f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {ident(index)} ON {_target(name, keys)};"


def _target(name: TableName, keys: Sequence[str]) -> str:
    return f"{table_sql(name)} ({', '.join(keys)})"


def _name(table: TableName, keys: Sequence[str]) -> str:
    """A name that says the table and never belongs to another definition."""
    digest = hashlib.sha256(f"{table}({','.join(keys)})".encode()).hexdigest()[:_DIGEST]
    room = _MAX_NAME_BYTES - _DIGEST - len("__retention")
    base = table.name.encode()[:room].decode(errors="ignore")
    return f"{base}_retention_{digest}"
