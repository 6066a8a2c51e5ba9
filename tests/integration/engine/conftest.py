"""What tests of the engine stand on: a stage, and a long version for whoever asks for it."""

import os
from collections.abc import Iterator

import pytest

from tests.config_folder import ConfigFolder
from tests.database import Database
from tests.stage import NOW, UNGUARDED, Stage
from tests.worker import MovingClock, open_worker

# Helpers that assert say what they found, as tests do.
for _helper in ("audit", "scene", "sweeper", "traffic"):
    pytest.register_assert_rewrite(f"tests.integration.engine.{_helper}")

LONG = "RETENTION_TEST_LONG"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", f"long: minutes of it; runs where {LONG}=1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the long versions out of a run that did not ask for them."""
    if os.environ.get(LONG) == "1":
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason=f"runs where {LONG}=1"))


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
