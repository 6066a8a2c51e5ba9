"""What every test may use: a frozen clock that leaves the driver alone, and a config folder."""

from pathlib import Path

import freezegun
import pytest

from tests.config_folder import ConfigFolder

# The driver's own time-outs must go on while a test has frozen Python's clocks.
freezegun.configure(extend_ignore_list=["psycopg", "psycopg_pool", "psycopg_binary"])


@pytest.fixture
def config_dir(tmp_path: Path) -> ConfigFolder:
    """A config folder with the reference data map and no tenant yet."""
    return ConfigFolder(tmp_path / "config")
