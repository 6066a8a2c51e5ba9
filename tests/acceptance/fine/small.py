"""A small product with text ids and tenants in plain columns, and the program on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.acceptance.program import Program, Result
from tests.config_folder import ConfigFolder
from tests.database import temporary_database
from tests.server import Server

SCHEMA = """
CREATE TABLE accounts (
    id text PRIMARY KEY, tenant_id text, last_activity_at timestamptz);
CREATE TABLE transactions (
    id text PRIMARY KEY, account_id text REFERENCES accounts ON UPDATE CASCADE, tenant_id text,
    created_at timestamptz, status text, decision text, name text NOT NULL DEFAULT '');
CREATE TABLE face (
    id bigserial PRIMARY KEY, transaction_id text REFERENCES transactions ON UPDATE CASCADE,
    tenant_id text, v text, created_at timestamptz);
CREATE TABLE images (
    id bigserial PRIMARY KEY, transaction_id text REFERENCES transactions ON UPDATE CASCADE,
    kind text, object_uri text);
CREATE INDEX ON accounts (tenant_id, last_activity_at, id);
CREATE INDEX ON transactions (account_id);
CREATE INDEX ON face (transaction_id);
CREATE INDEX ON images (transaction_id);
CREATE INDEX ON images (object_uri);
"""
DATAMAP = """
accounts: {table: public.accounts, id: id, tenant: tenant_id, last_activity: last_activity_at}
transactions:
  table: public.transactions
  id: id
  account: account_id
  created_at: created_at
  metadata: [created_at]
  decision: [decision]
  state: {column: status, in_progress: [PENDING]}
credentials:
  - name: face
    table: public.face
    class: biometric
    of: transaction
    key: transaction_id
    erase: rows
  - name: images
    table: public.images
    class: other
    of: transaction
    key: transaction_id
    erase: rows
"""
WITH_TENANTS = DATAMAP.replace(
    "  account: account_id\n", "  account: account_id\n  tenant: tenant_id\n"
)
WITH_OBJECTS = DATAMAP.replace(
    "    table: public.images\n", "    table: public.images\n    objects: {column: object_uri}\n"
)
NAMES = """
  - name: names
    table: public.transactions
    class: other
    of: transaction
    key: id
    erase: {set: {name: ''}}
"""
# For the role's grants: every column that a map of these tests names.
WIDEST = (
    WITH_TENANTS.replace(
        "    table: public.face\n",
        "    table: public.face\n    tenant: tenant_id\n    created_at: created_at\n",
    )
    + NAMES
)


@dataclass(kw_only=True)
class Small:
    """The product: `conn` is a superuser's connection."""

    conn: psycopg.Connection
    program: Program
    config: ConfigFolder

    def datamap(self, text: str) -> None:
        """Write another data map."""
        self.config.datamap.write_text(text, encoding="utf-8")

    def execute(self, statement: str, *values: Any) -> None:
        """Run a statement as the application."""
        self.conn.execute(statement.encode(), values or None)

    def person(
        self, name: str, *, tenant: str = "acme", idle: int = 500, filed: str | None = "same"
    ) -> None:
        """An account with one transaction of the same id, a face and an image, all so old.

        `filed`: the tenant that the transaction says.
        """
        values = {"name": name, "tenant": tenant, "idle": idle}
        values["filed"] = tenant if filed == "same" else filed
        for statement in (
            "INSERT INTO accounts "
            "VALUES (%(name)s, %(tenant)s, now() - %(idle)s * interval '1 day')",
            "INSERT INTO transactions (id, account_id, tenant_id, created_at, status, decision) "
            "VALUES (%(name)s, %(name)s, %(filed)s, now() - %(idle)s * interval '1 day', 'DONE', "
            "'ACCEPTED')",
            "INSERT INTO face (transaction_id, tenant_id, v, created_at) "
            "VALUES (%(name)s, %(tenant)s, 'v', now() - %(idle)s * interval '1 day')",
            "INSERT INTO images (transaction_id, kind) VALUES (%(name)s, 'SELFIE')",
        ):
            self.conn.execute(statement, values)

    def run(self, *arguments: str, **environment: str) -> Result:
        """Run a command in this process."""
        return self.program.call(*arguments, **environment)

    def rows(self) -> tuple[int, int]:
        """How many faces and images there are."""
        row = self.conn.execute(
            "SELECT (SELECT count(*) FROM face), (SELECT count(*) FROM images)"
        ).fetchone()
        assert row is not None
        return row[0], row[1]


@contextmanager
def small(server: Server, template: str, folder: Path) -> Iterator[Small]:
    """The product without a row, with the tenant acme: 360 days, and 90 for biometrics."""
    config = ConfigFolder(folder / "config")
    config.datamap.write_text(DATAMAP, encoding="utf-8")
    config.write_policy("acme", all_credentials="360 days", biometrics="90 days")
    (folder / "folder").mkdir()
    with temporary_database(server, template) as database, database.connect() as conn:
        environment = {
            "RETENTION_CONFIG_DIR": str(config.path),
            "RETENTION_DATABASE_URL": database.worker_dsn,
            "RETENTION_OBJECT_DRAIN": "false",
            "RETENTION_DUTY_CYCLE_PERCENT": "100",
            "RETENTION_BATCH_DEADLINE_MS": "4000",
            "RETENTION_GUARD_PERCENT": "100",
            "COLUMNS": "200",
        }
        program = Program(folder=folder / "folder", environment=environment)
        yield Small(conn=conn, program=program, config=config)
