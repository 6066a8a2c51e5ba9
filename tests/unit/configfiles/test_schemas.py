"""The JSON Schemas: what they let pass is what the files may say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from retention_worker.configfiles.policy_file import PolicyEntry, RetentionEntry
from retention_worker.configfiles.schemas import datamap_schema, policy_schema
from retention_worker.domain.datamap import columns, credential, datamap
from retention_worker.domain.policy.period import ISO_PATTERN, WORDS_PATTERN


def _keys(model: type[BaseModel]) -> tuple[set[str], set[str]]:
    fields = model.model_fields
    names = {name: field.alias or name for name, field in fields.items()}
    return set(names.values()), {names[name] for name, f in fields.items() if f.is_required()}


def _branch(schema: dict[str, Any]) -> dict[str, Any]:
    """The long form of what can be written in a short one too."""
    return next((s for s in schema.get("oneOf", ()) if s.get("type") == "object"), schema)


DATAMAP = datamap_schema()
DEFS = DATAMAP["$defs"]
POLICY = policy_schema()


@pytest.mark.parametrize(
    ("schema", "model"),
    [
        (POLICY, PolicyEntry),
        (POLICY["properties"]["retention"], RetentionEntry),
        (DATAMAP, datamap.DataMap),
        (DEFS["accounts"], datamap.Accounts),
        (DEFS["accounts"]["properties"]["activity"]["items"], datamap.ActivitySource),
        (DEFS["transactions"], datamap.Transactions),
        (DEFS["transactions"]["properties"]["state"], datamap.TransactionState),
        (DEFS["link"], datamap.Link),
        (DEFS["credential"], credential.Credential),
        (DEFS["object"], credential.ObjectSource),
        (DEFS["retained"], credential.Retained),
        (DEFS["time"], columns.TimeColumn),
        (DEFS["erase"], credential.SetAndRemove),
    ],
)
def test_same_keys_as_the_models(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """No key is offered that is refused, none is read that is not offered."""
    branch = _branch(schema)
    assert (set(branch["properties"]), set(branch.get("required", ()))) == _keys(model)
    assert branch["additionalProperties"] is False


def test_same_periods_as_the_grammar() -> None:
    """An editor marks what the worker would refuse."""
    pattern = f"^(never|{WORDS_PATTERN}|{ISO_PATTERN})$"
    for period in POLICY["properties"]["retention"]["properties"].values():
        assert period["pattern"] == pattern
        assert all(re.search(pattern, example) for example in period["examples"])


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            yield from _parts(part)


@pytest.mark.parametrize("schema", [POLICY, DATAMAP])
def test_help_for_editors(schema: dict[str, Any]) -> None:
    """Every key is described, here or where it refers to, and no reference leads nowhere."""
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for part in _parts(schema):
        if "$ref" in part:
            assert part["$ref"].removeprefix("#/$defs/") in schema["$defs"]
    for name, key in _described(schema):
        target = schema.get("$defs", {}).get(key.get("$ref", "").removeprefix("#/$defs/"), {})
        assert "description" in key | target, name


def _described(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in _parts(schema):
        if isinstance(part.get("properties"), dict) and part.get("type") == "object":
            yield from part["properties"].items()


def test_each_call_answers_its_own_copy() -> None:
    """Who changes the answer changes nothing for others."""
    policy_schema()["title"] = "changed"
    assert policy_schema()["title"] == POLICY["title"]
    assert json.dumps(policy_schema()) == json.dumps(POLICY)
