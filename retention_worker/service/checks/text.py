"""Names as SQL and as lists, for messages and for the SQL that mends."""

from __future__ import annotations

from collections.abc import Iterable

from retention_worker.domain.datamap.columns import TableName


def ident(name: str) -> str:
    """A quoted identifier."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def table_sql(name: TableName) -> str:
    """A quoted table."""
    return f"{ident(name.schema_name)}.{ident(name.name)}"


def columns_sql(names: Iterable[str]) -> str:
    """Quoted columns with commas."""
    return ", ".join(map(ident, names))


def comma(names: Iterable[object]) -> str:
    """Names with commas, for a message."""
    return ", ".join(map(str, names))
