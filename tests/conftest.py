"""What every test may use: a frozen clock that leaves the driver alone, files, and a database."""

from collections.abc import Iterator
from pathlib import Path

import freezegun
import pytest
from hypothesis import HealthCheck, settings

from tests.config_folder import ConfigFolder
from tests.database import Database, prepare_reference, temporary_database
from tests.server import Server, start_server

# The driver's own time-outs must go on while a test has frozen Python's clocks.
freezegun.configure(extend_ignore_list=["psycopg", "psycopg_pool", "psycopg_binary"])

# How fast inputs are drawn says how busy the machine is, not whether a test holds.
settings.register_profile("here", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")


@pytest.fixture
def config_dir(tmp_path: Path) -> ConfigFolder:
    """A config folder with the reference data map and no tenant yet."""
    return ConfigFolder(tmp_path / "config")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The PostgreSQL of this test process; it starts with the first test that wants it."""
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
