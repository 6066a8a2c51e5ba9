"""Loads named queries from `sql/*.sql`: `-- name: x`, a line that says its purpose, the SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import psycopg
from psycopg.sql import SQL, Composed, Identifier

_HEADER = re.compile(r"^-- name: (\w+)\n-- \S", re.MULTILINE)

Queries = Mapping[str, SQL]


@cache
def load(name: str) -> Queries:
    """The queries of `sql/<name>.sql` by their names.

    Raises:
        ValueError: the file has a query without a name or a purpose.
    """
    text = files("retention_worker.store").joinpath("sql", f"{name}.sql").read_text("utf-8")
    found = list(_HEADER.finditer(text))
    if len(found) != text.count("-- name:"):
        raise ValueError(f"sql/{name}.sql: each query has a name and a line with its purpose")
    ends = [match.start() for match in found[1:]] + [len(text)]
    return {
        match[1]: SQL(text[match.start() : end].strip().rstrip(";"))
        for match, end in zip(found, ends, strict=True)
    }


@cache
def named(name: str, schema_name: str) -> Composed:
    """The query `file.query`, with `{schema}` filled by the worker's own schema."""
    file, query = name.split(".")
    return load(file)[query].format(schema=Identifier(schema_name))


# Our own queries and those of a map or two; a map that changes makes new ones.
_MOST_RENDERED = 1_000
_rendered: dict[tuple[int, str], tuple[Composed, bytes]] = {}


def rendered(conn: psycopg.Connection, query: Composed) -> bytes:
    """A query as the bytes that are sent: a batch sends the same ones again and again.

    It is kept by its identity, and kept alive with that.
    """
    key = (id(query), conn.info.encoding)
    if key not in _rendered:
        if len(_rendered) >= _MOST_RENDERED:
            _rendered.clear()
        _rendered[key] = (query, query.as_bytes(conn))
    return _rendered[key][1]
