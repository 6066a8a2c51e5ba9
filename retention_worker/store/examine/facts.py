"""The facts that the checks judge, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from retention_worker.domain.datamap.columns import TableName
from retention_worker.store.catalog import Catalog


@dataclass(frozen=True, kw_only=True)
class Server:
    """The server, and the role that is connected."""

    role: str
    superuser: bool
    standby: bool
    deadlock_timeout_ms: int


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A mapped table (then `root` is itself), or a partition or child of one.

    `kind` is pg_class.relkind; `row_security`: policies would hide rows from this role.
    """

    root: TableName
    name: TableName
    oid: int
    kind: str
    is_partition: bool
    row_security: bool
    can_update: bool
    can_delete: bool
    publishes_deletes: bool
    publishes_updates: bool
    has_identity: bool
    estimated_rows: float
    bytes: int


@dataclass(frozen=True, kw_only=True)
class TableColumn:
    """A column: as PostgreSQL quotes it, and whether an UPDATE may blank it."""

    name: str
    quoted: str
    not_null: bool
    is_generated: bool


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """An enabled trigger of a user for UPDATE or DELETE; `columns`: UPDATE OF these alone.

    `function` is the oid of what it runs.
    """

    name: str
    each_row: bool
    on_delete: bool
    on_update: bool
    columns: tuple[str, ...]
    is_ours: bool
    function: int


@dataclass(frozen=True, kw_only=True)
class RewriteRule:
    """An enabled rule that rewrites UPDATE or DELETE."""

    name: str
    on_delete: bool
    on_update: bool


@dataclass(frozen=True, kw_only=True)
class Index:
    """An index: `keys` as PostgreSQL writes them, `mentions` every column of keys.

    `predicate` is the condition of a partial index.
    """

    name: str
    method: str
    is_unique: bool
    is_valid: bool
    nulls_are_equal: bool
    predicate: str | None
    keys: tuple[str, ...]
    mentions: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A foreign key; the letters of its actions are those of pg_constraint.

    `root` is the child's topmost parent where the child is a partition, else the child itself.
    """

    name: str
    child: TableName
    child_oid: int
    root: TableName
    child_columns: tuple[str, ...]
    parent: TableName
    parent_oid: int
    parent_columns: tuple[str, ...]
    on_delete: str
    on_update: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Whether two columns can be compared, and whether an index on them helps."""

    left_type: str
    right_type: str
    comparable: bool
    indexable: bool


class Privilege(StrEnum):
    """LOCK: UPDATE on any column, which FOR UPDATE asks for. USAGE: of the table's schema."""

    USAGE = "USAGE"
    SELECT = "SELECT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    LOCK = "LOCK"


@dataclass(frozen=True, kw_only=True)
class Need:
    """A privilege that the map's statements need; on the whole table without a column."""

    table: TableName
    privilege: Privilege
    column: str | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that was read of the mapped tables; what is missing in the catalog is absent."""

    server: Server
    catalog: Catalog
    relations: tuple[Relation, ...]
    columns: Mapping[int, tuple[TableColumn, ...]]
    triggers: Mapping[int, tuple[Trigger, ...]]
    rules: Mapping[int, tuple[RewriteRule, ...]]
    indexes: Mapping[int, tuple[Index, ...]]
    references: tuple[Reference, ...]
    distributed: tuple[TableName, ...] = ()

    def of(self, name: TableName) -> tuple[Relation, ...]:
        """The mapped table and everything below it."""
        return tuple(each for each in self.relations if each.root == name)

    def table(self, name: TableName) -> Relation | None:
        """The mapped table itself."""
        return next((each for each in self.of(name) if each.name == name), None)

    def leaves(self, name: TableName) -> tuple[Relation, ...]:
        """What holds the rows: the table, or its partitions."""
        return tuple(each for each in self.of(name) if each.kind != "p")

    def blankable(self, name: TableName, column: str) -> Iterator[TableColumn]:
        """The column in the table and in everything below it."""
        for relation in self.of(name):
            for each in self.columns.get(relation.oid, ()):
                if each.name == column:
                    yield each

    def quoted(self, name: TableName, column: str) -> str:
        """The column as PostgreSQL writes it in the definition of an index."""
        return next((each.quoted for each in self.blankable(name, column)), column)
