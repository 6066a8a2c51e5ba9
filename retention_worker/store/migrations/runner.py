"""Applies the numbered SQL files, each once, forward only, under an advisory lock."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

import psycopg
from psycopg.sql import SQL, Identifier

from retention_worker.domain.errors import SchemaError
from retention_worker.store.connection.failures import translated

# Any constant of our own; two workers that migrate at once take turns.
_LOCK = 0x5245_5445_4E54
# Migrations touch small tables of our own: waiting longer means that something else is wrong.
_LOCK_TIMEOUT = "5s"
_STATEMENT_TIMEOUT = "5min"


@dataclass(frozen=True, kw_only=True)
class Migration:
    """A file: its number, its name and what it says (`{schema}` is the schema's quoted name)."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 (hex) of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def known() -> list[Migration]:
    """The files of this version, in order."""
    folder = files("retention_worker.store.migrations")
    return [
        Migration(number=int(file.name[:4]), name=file.name, text=file.read_text("utf-8"))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    ]


def migrate(conn: psycopg.Connection, schema_name: str) -> list[str]:
    """Bring the schema up to this version; each file commits by itself.

    Args:
        conn: an autocommit connection of the role that owns the schema (or may create it).
        schema_name: the worker's own schema.

    Returns:
        The names of the files that were applied, none where all had been.

    Raises:
        SchemaError: the schema is newer than this version, or a file was changed since.
    """
    with translated():
        applied: list[str] = []
        for migration in known():
            with conn.transaction():
                _prepare(conn, schema_name)
                done = _applied(conn, schema_name)
                _refuse_unknown(done)
                if migration.number in done:
                    continue
                body = SQL(migration.text).format(schema=Identifier(schema_name))
                conn.execute(body)
                conn.execute(
                    SQL(
                        "INSERT INTO {}.migration (number, name, checksum) VALUES (%s, %s, %s)"
                    ).format(Identifier(schema_name)),
                    (migration.number, migration.name, migration.checksum),
                )
                applied.append(migration.name)
        return applied


def status(conn: psycopg.Connection, schema_name: str) -> list[str]:
    """The names of the files that `migrate` would apply."""
    with translated():
        done = _applied(conn, schema_name) if _exists(conn, schema_name) else {}
    _refuse_unknown(done)
    return [migration.name for migration in known() if migration.number not in done]


def check(conn: psycopg.Connection, schema_name: str) -> None:
    """Refuse a schema that this version does not know.

    Raises:
        SchemaError: it is missing, older or newer.
    """
    missing = status(conn, schema_name)
    if missing:
        raise SchemaError(
            f"the schema {schema_name!r} lacks {', '.join(missing)}: run `retention-worker migrate`"
        )


def _prepare(conn: psycopg.Connection, schema_name: str) -> None:
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    conn.execute(
        "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)",
        (_LOCK_TIMEOUT, _STATEMENT_TIMEOUT),
    )
    if not _exists(conn, schema_name):
        name = Identifier(schema_name)
        # Asked first: CREATE SCHEMA IF NOT EXISTS needs the right to create even where it exists.
        if not conn.execute(
            "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s", (schema_name,)
        ).fetchone():
            conn.execute(SQL("CREATE SCHEMA {}").format(name))
        conn.execute(
            SQL(
                "CREATE TABLE {}.migration (number int PRIMARY KEY, name text NOT NULL, "
                "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
            ).format(name)
        )


def _exists(conn: psycopg.Connection, schema_name: str) -> bool:
    row = conn.execute(
        "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
        "ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = 'migration'",
        (schema_name,),
    ).fetchone()
    return row is not None


def _applied(conn: psycopg.Connection, schema_name: str) -> dict[int, str]:
    rows = conn.execute(
        SQL("SELECT number, checksum FROM {}.migration").format(Identifier(schema_name))
    ).fetchall()
    return dict(rows)


def _refuse_unknown(done: dict[int, str]) -> None:
    checksums = {migration.number: migration.checksum for migration in known()}
    for number, checksum in sorted(done.items()):
        if number not in checksums:
            raise SchemaError(
                f"the schema has migration {number:04}, which this version does not know: "
                "run the newer version"
            )
        if checksums[number] != checksum:
            raise SchemaError(f"migration {number:04} was changed after it was applied")
