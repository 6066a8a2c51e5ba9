"""The program with a database, its least-privilege role and a tenant."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.program import Program
from tests.config_folder import ConfigFolder
from tests.database import Database


@pytest.fixture
def bare(tmp_path: Path, config_dir: ConfigFolder) -> Program:
    """The program without a database: the tenant acme, 360 days and 90 for biometrics."""
    config_dir.write_policy("acme", all_credentials="360 days", biometrics="90 days")
    folder = tmp_path / "folder"
    folder.mkdir()
    environment = {
        "RETENTION_CONFIG_DIR": str(config_dir.path),
        # Where objects are not the subject there is no store to ask.
        "RETENTION_OBJECT_DRAIN": "false",
    }
    return Program(folder=folder, environment=environment)


@pytest.fixture
def program(bare: Program, database: Database) -> Program:
    """The program with a database that is ready; no pauses, and the guard turned off."""
    bare.environment |= {
        "RETENTION_DATABASE_URL": database.worker_dsn,
        "RETENTION_DUTY_CYCLE_PERCENT": "100",
        "RETENTION_BATCH_DEADLINE_MS": "4000",  # a busy test machine keeps it
        "RETENTION_GUARD_PERCENT": "100",
        "RETENTION_HEALTH_PORT": "0",
    }
    return bare


@pytest.fixture
def conn(database: Database) -> Iterator[psycopg.Connection]:
    """A superuser's connection."""
    with database.connect() as conn:
        yield conn
