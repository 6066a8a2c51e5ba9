"""The PostgreSQL server that integration tests run on: the embedded one, or one that was given."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from retention_worker.embedded import EmbeddedServer

VARIABLE = "RETENTION_TEST_DATABASE_URL"


class Server(Protocol):
    """What tests need of a server, whichever it is."""

    def dsn(self, database: str) -> str:
        """Return the superuser's URL of a database."""

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database, as a copy of `template` if given."""

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the sessions that still use it."""


class GivenServer:
    """A server that runs already: `url` is a superuser's, of any of its databases."""

    def __init__(self, url: str) -> None:
        self._url = url

    def dsn(self, database: str) -> str:
        """Return the superuser's URL of a database."""
        return rewrite_url(self._url, dbname=database)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database, as a copy of `template` if given."""
        statement = SQL("CREATE DATABASE {}").format(Identifier(name))
        if template is not None:
            statement += SQL(" TEMPLATE {}").format(Identifier(template))
        with psycopg.connect(self._url, autocommit=True) as conn:
            conn.execute(statement)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the sessions that still use it."""
        with psycopg.connect(self._url, autocommit=True) as conn:
            conn.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@contextmanager
def start_server() -> Iterator[Server]:
    """Give the server of `RETENTION_TEST_DATABASE_URL`, or an embedded one while it is used."""
    url = os.environ.get(VARIABLE)
    if url:
        yield GivenServer(url)
        return
    with EmbeddedServer() as server:
        yield server


def rewrite_url(dsn: str, **changes: str) -> str:
    """Return the DSN as a URL with parts changed, such as `user`, `password` or `dbname`."""
    parts = {**conninfo_to_dict(dsn), **changes}
    database = quote(str(parts.pop("dbname", "")), safe="")
    return f"postgresql:///{database}?{urlencode(parts, quote_via=quote)}"
