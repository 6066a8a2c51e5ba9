"""The API over the reference schema: two tenants, a clock that the test moves."""

from collections.abc import Iterator

import pytest

from tests.config_folder import ConfigFolder
from tests.database import Database
from tests.integration.web.api import Api, open_api
from tests.stage import NOW, UNGUARDED, Stage
from tests.worker import MovingClock, open_worker


@pytest.fixture
def stage(database: Database, config_dir: ConfigFolder) -> Iterator[Stage]:
    """The tenants acme and birch, no account yet, the guard turned off, a process that serves."""
    config_dir.write_policy("acme", all_credentials="360 days", biometrics="90 days")
    config_dir.write_policy("birch", all_credentials="300 days")
    clock = MovingClock(NOW)
    with (
        database.connect() as conn,
        open_worker(database.worker_dsn, config_dir, clock, serving=True, **UNGUARDED) as worker,
    ):
        yield Stage(database, conn, config_dir, clock, worker)


@pytest.fixture
def api(stage: Stage) -> Iterator[Api]:
    """The application, started."""
    with open_api(stage) as http:
        yield Api(stage=stage, http=http)
