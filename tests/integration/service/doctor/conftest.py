"""A healthy patient for each test."""

import pytest

from tests.database import Database
from tests.integration.service.doctor.patient import Patient


@pytest.fixture
def patient(database: Database) -> Patient:
    """The reference schema and its map, as they are shipped."""
    return Patient(database=database)
