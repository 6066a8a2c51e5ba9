"""A database that a test makes ill, and what the checks say about it."""

import copy
from dataclasses import dataclass, field
from typing import Any

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.service.checks import Finding, examine, inspect
from retention_worker.settings import WorkerSettings
from retention_worker.store import catalog
from retention_worker.store.connection.pool import reading
from retention_worker.store.connection.session import Session
from retention_worker.store.examine.recreation import recreation_sql
from tests.config_folder import SAMPLES
from tests.database import Database
from tests.grants import ROLE, SCHEMA

REFERENCE = load_datamap(SAMPLES).datamap


def settings(**changes: Any) -> WorkerSettings:
    """Settings with their defaults, whatever the shell holds."""
    return WorkerSettings(_env_file=None, **changes)


@dataclass(kw_only=True)
class Patient:
    """The reference database, a copy of its map to change, and the checks."""

    database: Database
    map: dict[str, Any] = field(
        default_factory=lambda: copy.deepcopy(
            REFERENCE.model_dump(by_alias=True, exclude_none=True)
        )
    )

    @property
    def datamap(self) -> DataMap:
        """The map as it was changed."""
        return DataMap.model_validate(self.map)

    def entry(self, name: str) -> dict[str, Any]:
        """An entry of the map, to change."""
        found: dict[str, Any] = next(e for e in self.map["credentials"] if e["name"] == name)
        return found

    def add_entry(self, **entry: Any) -> None:
        """A further entry; class other and of account unless it says otherwise."""
        defaults = {"class": "other", "of": "account", "key": "account_id", "erase": "rows"}
        self.map["credentials"] = [*self.map["credentials"], defaults | entry]

    def retain(self, *tables: str) -> None:
        """Further tables that stay."""
        self.map["retained"] = [*self.map["retained"], *tables]

    def run(self, *statements: str) -> None:
        """Change the database as its owner; what is new is granted to the worker whole."""
        with self.database.connect() as conn:
            for statement in statements:
                conn.execute(statement.encode())
            conn.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}".encode())

    def guard(self) -> None:
        """Renew the triggers against recreation for the map as it was changed."""
        with self.database.connect() as conn:
            found = catalog.read(conn, catalog.mapped_tables(self.datamap))
            conn.execute(recreation_sql(self.datamap, found, SCHEMA).encode())

    def refusals(self, **options: Any) -> tuple[Finding, ...]:
        """What `run` and `sweep` would refuse, as the worker's role."""
        given = options.pop("settings", settings())
        with self.database.connect_worker() as conn:
            return inspect(Session(conn, SCHEMA), self.datamap, given, **options).refusals

    def examine(self, **options: Any) -> tuple[Finding, ...]:
        """What `doctor` says, as the worker's role."""
        given = options.pop("settings", settings())
        with self.database.connect_worker() as conn, reading(conn):
            return examine(Session(conn, SCHEMA), self.datamap, given, **options)

    def refused(self, **options: Any) -> list[tuple[str, str]]:
        """The refusals as (check, subject)."""
        return [(each.check, each.subject) for each in self.refusals(**options)]

    def warned(self, **options: Any) -> list[tuple[str, str]]:
        """The warnings as (check, subject)."""
        found = self.examine(**options)
        return [(each.check, each.subject) for each in found if each.severity == "warn"]
