"""Promises that a row becomes what its columns are named after."""

from dataclasses import dataclass

import pytest

from retention_worker.store.connection.answers import of_row


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Two columns and what is made of a third."""

    id: int
    name: str
    size: int


def test_columns_become_the_fields_of_their_names() -> None:
    """What no field is named after is left out, and what is given wins over a column."""
    row = {"id": 1, "name": "a", "size": "7", "other": None}
    assert of_row(Thing, row, size=7) == Thing(id=1, name="a", size=7)


def test_a_column_that_is_missing_is_a_defect() -> None:
    """Nothing is made up for it."""
    with pytest.raises(TypeError, match="name"):
        of_row(Thing, {"id": 1, "size": 7})
