"""What a check judges: the map, the facts, the settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from retention_worker.domain.datamap.columns import TableName
from retention_worker.domain.datamap.credential import Credential, SetAndRemove
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.settings import WorkerSettings
from retention_worker.store.examine import Comparison, Facts, Need, Surroundings
from retention_worker.store.mapsql import CompiledMap


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Two columns that a join compares, as names for people, and how they compare."""

    subject: str
    child: str
    parent: str
    found: Comparison


@dataclass(frozen=True, kw_only=True)
class Examined:
    """Everything that was read; `policies` is the number of policy files, None where unknown.

    `compiled` is the map on this database; `drift` is why it does not compile, None where it does
    or where a name that is missing says so already; `around` is for `doctor` alone.
    """

    datamap: DataMap
    facts: Facts
    settings: WorkerSettings
    policies: int | None = None
    lacking: tuple[Need, ...] = ()
    comparisons: tuple[Compared, ...] = ()
    compiled: CompiledMap | None = None
    drift: str | None = None
    around: Surroundings | None = None

    def mapped(self, name: TableName) -> bool:
        """Whether the table exists."""
        return name in self.facts.catalog.tables


def blanked(datamap: DataMap) -> Iterator[tuple[Credential, SetAndRemove]]:
    """The entries whose rows stay."""
    for entry in datamap.credentials:
        if isinstance(entry.erase, SetAndRemove):
            yield entry, entry.erase


def deleted(datamap: DataMap) -> Iterator[Credential]:
    """The entries whose rows go."""
    for entry in datamap.credentials:
        if not isinstance(entry.erase, SetAndRemove):
            yield entry


def erased_tables(datamap: DataMap) -> tuple[TableName, ...]:
    """Tables of which rows or columns go, in the file's order."""
    return tuple(dict.fromkeys(entry.table for entry in datamap.credentials))
