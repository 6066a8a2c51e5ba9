"""What a trigger's function is, what it may call, and what of its tables a role may not do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from retention_worker.domain.datamap.columns import TableName
from retention_worker.store.connection.session import Session

_Name = tuple[str | None, str]


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function; `definer`: it runs as its owner. `search_path`: None where the caller's counts.

    `source` is the body as it was written, or as the server writes one that it has parsed.
    """

    oid: int
    schema_name: str
    name: str
    language: str
    definer: bool
    owner: str
    source: str
    search_path: str | None

    def __str__(self) -> str:
        return f"{self.schema_name}.{self.name}()"


@dataclass(frozen=True, kw_only=True)
class Touched:
    """A relation that a function touches, and what a role lacks there.

    `privilege` is None for a schema that the role may not use at all; `sequences` are those that
    give a new row's columns their defaults and that the role may not use.
    """

    name: TableName
    schema_usage: bool
    privilege: str
    granted: bool
    sequences: tuple[TableName, ...]


def function(session: Session, oid: int) -> Function:
    """The function of that oid."""
    (row,) = session.rows("examine.function", {"oid": oid})
    return Function(**row)


@contextmanager
def on_path(session: Session, search_path: str | None) -> Iterator[None]:
    """Let names mean what they mean under a search_path; None: that of now."""
    if search_path is None:
        yield
        return
    before = session.value("examine.search_path")
    session.run("examine.set_search_path", {"path": search_path})
    try:
        yield
    finally:
        session.run("examine.set_search_path", {"path": before})


def called(session: Session, names: Collection[_Name]) -> list[int]:
    """The functions of users that have one of these names: their oids."""
    parameters = {
        "schemas": [schema for schema, _ in names],
        "names": [name for _, name in names],
    }
    return [row["oid"] for row in session.rows("examine.called", parameters)]


def touched(
    session: Session, role: str, touches: Sequence[tuple[_Name, str]]
) -> dict[tuple[_Name, str], Touched]:
    """Relations among the names, each with what the role may not do there."""
    rows = session.rows(
        "examine.touched",
        {
            "role": role,
            "schemas": [schema for (schema, _), _ in touches],
            "names": [name for (_, name), _ in touches],
            "privileges": [privilege for _, privilege in touches],
        },
    )
    return {
        touches[row["position"] - 1]: Touched(
            name=TableName(schema_name=row["schema_name"], name=row["table_name"]),
            schema_usage=row["schema_usage"],
            privilege=row["privilege"],
            granted=row["granted"],
            sequences=tuple(
                TableName(schema_name=schema, name=name)
                for schema, name in zip(row["sequence_schemas"], row["sequence_names"], strict=True)
            ),
        )
        for row in rows
    }
