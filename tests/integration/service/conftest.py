"""A worker on the reference schema, with a clock that the test moves."""

from collections.abc import Iterator

import pytest

from tests.config_folder import ConfigFolder
from tests.database import Database
from tests.stage import NOW, UNGUARDED, Stage
from tests.worker import MovingClock, open_worker


@pytest.fixture
def stage(database: Database, config_dir: ConfigFolder) -> Iterator[Stage]:
    """The tenant acme with both periods, no account yet, the guard turned off."""
    config_dir.write_policy("acme", all_credentials="360 days", biometrics="90 days")
    clock = MovingClock(NOW)
    with (
        database.connect() as conn,
        open_worker(database.worker_dsn, config_dir, clock, **UNGUARDED) as worker,
    ):
        yield Stage(database, conn, config_dir, clock, worker)
