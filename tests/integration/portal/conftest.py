"""A worker on the reference schema with the web application."""

from collections.abc import Iterator

import pytest

from tests.config_folder import ConfigFolder
from tests.database import Database
from tests.integration.portal.scene import PortalScene
from tests.stage import NOW, UNGUARDED, Stage
from tests.worker import MovingClock, open_worker


@pytest.fixture
def scene(database: Database, config_dir: ConfigFolder) -> Iterator[PortalScene]:
    """The tenants acme and birch, no account yet, the guard turned off."""
    for tenant in ("acme", "birch"):
        config_dir.write_policy(tenant, all_credentials="360 days", biometrics="90 days")
    clock = MovingClock(NOW)
    with (
        database.connect() as conn,
        open_worker(database.worker_dsn, config_dir, clock, serving=True, **UNGUARDED) as worker,
    ):
        yield PortalScene(Stage(database, conn, config_dir, clock, worker))
