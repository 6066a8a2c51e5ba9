"""The small product: one template a process, a copy of it for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.fine.small import SCHEMA, WIDEST, Small, small
from tests.integration.foreign.site import template_of
from tests.server import Server


@pytest.fixture(scope="session")
def small_template(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with the small product's schema and nothing in it."""
    with template_of(server, tmp_path_factory.mktemp("small"), SCHEMA, WIDEST) as name:
        yield name


@pytest.fixture
def world(server: Server, small_template: str, tmp_path: Path) -> Iterator[Small]:
    """The small product, installed, without a row."""
    with small(server, small_template, tmp_path) as found:
        yield found
