"""Each module brings a product's schema: one template a module, a copy of it for each test."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.foreign.site import HERE, Site, site_of, template_of
from tests.server import Server

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def product(request: pytest.FixtureRequest) -> str:
    """The folder with the product's schema.sql and datamap.yaml: the module's PRODUCT."""
    return str(request.module.PRODUCT)


@pytest.fixture(scope="module")
def datamap(product: str) -> str:
    """The product's data map."""
    return (HERE / product / "datamap.yaml").read_text("utf-8")


@pytest.fixture(scope="module")
def product_template(
    server: Server, product: str, datamap: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database with the product's schema and nothing in it."""
    schema = (HERE / product / "schema.sql").read_text("utf-8")
    with template_of(server, tmp_path_factory.mktemp(product), schema, datamap) as name:
        yield name


@pytest.fixture
def site(server: Server, product_template: str, datamap: str, tmp_path: Path) -> Iterator[Site]:
    """The product, installed, without a row and without a policy."""
    with site_of(server, product_template, tmp_path, datamap, NOW) as found:
        yield found
