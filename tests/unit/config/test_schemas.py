"""The JSON Schemas in config/: what `policy schema` prints, kept where the samples point."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from retention_worker.configfiles.schemas import datamap_schema, policy_schema
from tests.config_folder import SAMPLES


@pytest.mark.parametrize(
    ("name", "schema"),
    [("policy.schema.json", policy_schema), ("datamap.schema.json", datamap_schema)],
)
def test_they_are_current(name: str, schema: Callable[[], dict[str, Any]]) -> None:
    """An editor that follows a sample's first line knows what this version knows."""
    text = (SAMPLES / name).read_text(encoding="utf-8")
    assert json.loads(text) == schema(), f"copy retention_worker/configfiles/{name} to config/"
