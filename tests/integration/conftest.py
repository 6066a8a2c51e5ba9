"""A PostgreSQL a session, a template with the schemas in it, and a copy of it for each test."""

from collections.abc import Iterator

import pytest

from tests.database import Database, prepare_reference, temporary_database
from tests.server import Server, start_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of this test process."""
    with start_server() as server:
        yield server


@pytest.fixture(scope="session")
def template(server: Server) -> Iterator[str]:
    """The name of a database with the reference schema, the worker's own and its role."""
    with temporary_database(server) as database:
        prepare_reference(database)
        yield database.name


@pytest.fixture
def database(server: Server, template: str) -> Iterator[Database]:
    """A copy of the template for one test: the schemas, and not one account."""
    with temporary_database(server, template) as database:
        yield database


@pytest.fixture
def empty_database(server: Server) -> Iterator[Database]:
    """A database without anything, for a test that brings its own schema."""
    with temporary_database(server) as database:
        yield database
