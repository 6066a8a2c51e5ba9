"""The JSON Schemas of both files, for the editors of those who write them (draft 2020-12).

They say as much as a schema can; the last word have `policy check` and `doctor`.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def policy_schema() -> dict[str, Any]:
    """The schema of `tenants/<tenant>.yaml`."""
    return _load("policy.schema.json")


def datamap_schema() -> dict[str, Any]:
    """The schema of `datamap.yaml`."""
    return _load("datamap.schema.json")


def _load(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(files(__package__).joinpath(name).read_text("utf-8"))
    return schema
