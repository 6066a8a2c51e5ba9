"""The JSON Schemas of both files, for the editors of those who write them (draft 2020-12).

They say as much as a schema can; the last word have `policy check` and `doctor`.
"""

from __future__ import annotations

from typing import Any

from retention_worker.configfiles.policy_file import NEVER, TENANT_NAME
from retention_worker.domain.period import ISO_PATTERN, WORDS_PATTERN

__all__ = ["datamap_schema", "policy_schema"]

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def policy_schema() -> Schema:
    """The schema of `tenants/<tenant>.yaml`."""
    period = {
        "type": "string",
        "pattern": f"^({NEVER}|{WORDS_PATTERN}|{ISO_PATTERN})$",
        "examples": ["90 days", "6 weeks", "18 months", "3 years", "P1Y6M", NEVER],
    }
    everything = "Time after the account's last activity when all its credentials are erased."
    biometrics = "The same for face vectors and templates alone; images stay. Must be shorter."
    retention = _object(
        "When retention erases. A line that is absent, or `never`: not at all.",
        {
            "all_credentials": {**period, "description": everything},
            "biometrics": {**period, "description": biometrics},
        },
    )
    return _file(
        "Retention policy of one tenant",
        "tenants/<tenant>.yaml: what is erased for this tenant, and after how long.",
        {
            "tenant": {
                "type": "string",
                "pattern": f"^{TENANT_NAME}$",
                "description": "The tenant's name: that of the file without .yaml.",
                "examples": ["acme"],
            },
            "tenant_id": {
                "type": "string",
                "minLength": 1,
                "description": "The value in the database's tenant column, in quotes where it is"
                " a number. Absent: the tenant's name.",
                "examples": ["7f0c8f9e-5f57-4d7c-9f35-b4a3c1a2d901", "1234"],
            },
            "retention": retention,
            "paused": {
                "type": "boolean",
                "default": False,
                "description": "true: erase nothing, still report what is due.",
            },
            "notes": {
                "type": ["string", "null"],
                "description": "For people: who agreed to this, when and where.",
                "examples": ["agreed 2026-03-02, ticket 1234"],
            },
        },
        required=["tenant"],
    )


def datamap_schema() -> Schema:
    """The schema of `datamap.yaml`."""
    schema = _file(
        "Data map",
        "datamap.yaml: where accounts, transactions and credentials are in the database. Names are"
        " literal: their case counts.",
        {
            "accounts": _ref("accounts"),
            "transactions": _ref("transactions"),
            "links": {
                "type": "object",
                "description": "Further hops by name, such as applicant -> check -> document.",
                "propertyNames": {"not": {"enum": ["account", "transaction"]}},
                "additionalProperties": _ref("link"),
            },
            "credentials": {
                "type": "array",
                "minItems": 1,
                "description": "What is erased, and how.",
                "items": _ref("credential"),
            },
            "retained": {
                "type": "array",
                "description": "Tables, or parts of them, that were looked at and stay.",
                "items": _ref("retained"),
                "examples": [["public.verification_results"]],
            },
            "accepted_triggers": {
                "type": "array",
                "description": "Row triggers on mapped tables that were looked at:"
                " schema.table.trigger.",
                "items": {"type": "string"},
                "examples": [["public.images.count_images"]],
            },
            "orphans": {
                "const": "created_at",
                "description": "Erase credentials whose transaction has no account, by the age of"
                " the row. Absent: they are only counted.",
            },
        },
        required=["accounts", "credentials"],
    )
    return {**schema, "$defs": {**_names(), **_hops(), **_entries()}}


def _names() -> Schema:
    """Columns, keys, tables, times and conditions."""
    column = {"type": "string", "minLength": 1, "maxLength": 63}
    scalar: Schema = {"type": ["string", "integer", "boolean", "null"]}
    return {
        "column": {**column, "description": "The name of a column."},
        "columns": {"type": "array", "items": _ref("column")},
        "key": _one_or_many(
            "A column, or the columns of a composite key in order.", _ref("column")
        ),
        "table": {
            "description": "schema.table, or [schema, table] where a name has a dot.",
            "oneOf": [
                {"type": "string", "pattern": r"^[^.]+\.[^.]+$"},
                {"type": "array", "items": _ref("column"), "minItems": 2, "maxItems": 2},
            ],
            "examples": ["public.accounts"],
        },
        "time": {
            "description": "A column with a time, with what its type does not say.",
            "oneOf": [
                _ref("column"),
                _object(
                    "A column with a time.",
                    {
                        "column": _ref("column"),
                        "unit": {
                            "enum": ["s", "ms", "us"],
                            "description": "Of a number that counts since 1970.",
                        },
                        "time_zone": {
                            "type": "string",
                            "description": "Of a timestamp without time zone or a date. Absent:"
                            " UTC.",
                            "examples": ["Europe/Berlin"],
                        },
                    },
                    required=["column"],
                ),
            ],
            "examples": ["created_at", {"column": "ts", "unit": "ms"}],
        },
        "values": _one_or_many("A value, or several.", scalar),
        "where": {
            "type": "object",
            "minProperties": 1,
            "description": "The rows that belong here: column: value, or column: [values].",
            "additionalProperties": _ref("values"),
            "examples": [{"kind": ["SELFIE", "ID_FRONT"]}],
        },
    }


def _hops() -> Schema:
    """Accounts, transactions and links."""
    tenant = _described("column", "The tenant's column; in every statement where it is given.")
    identity = _described("key", "The primary key.")
    activity = _object(
        "Rows elsewhere that count as activity; wants an index on key and at.",
        {
            "table": _ref("table"),
            "key": _described("key", "Refers to the account."),
            "at": _ref("time"),
            "tenant": tenant,
        },
        required=["table", "key", "at"],
    )
    return {
        "accounts": _object(
            "The accounts and their last activity.",
            {
                "table": _ref("table"),
                "id": identity,
                "tenant": _described("column", "Absent where the database has one tenant."),
                "last_activity": _one_or_many(
                    "When the account was last active; of several the latest.", _ref("time")
                ),
                "activity": {"type": "array", "items": activity},
            },
            required=["table", "id", "last_activity"],
        ),
        "transactions": _object(
            "The verifications of an account. Absent where there are none.",
            {
                "table": _ref("table"),
                "id": identity,
                "account": _described("key", "Refers to the account."),
                "parent_key": _described("key", "Where it does not refer to the account's id."),
                "tenant": tenant,
                "created_at": _ref("time"),
                "metadata": _described("columns", "What may be shown after an erasure."),
                "decision": _described("columns", "The outcome, which is kept."),
                "state": _object(
                    "When a transaction is still in progress.",
                    {"column": _ref("column"), "in_progress": _ref("values")},
                    required=["column", "in_progress"],
                ),
            },
            required=["table", "id", "account"],
        ),
        "link": _object(
            "A further hop.",
            {
                "table": _ref("table"),
                "id": identity,
                "of": _parent(),
                "key": _described("key", "Refers to the parent."),
                "parent_key": _described("key", "Where it does not refer to the parent's id."),
                "tenant": tenant,
            },
            required=["table", "id", "of", "key"],
        ),
    }


def _entries() -> Schema:
    """What is erased and what stays."""
    return {
        "credential": _object(
            "A table, or a part of one, with personal data.",
            {
                "name": {"type": "string", "minLength": 1, "maxLength": 100},
                "table": _ref("table"),
                "class": {
                    "enum": ["biometric", "other"],
                    "description": "biometric: face vectors, embeddings, templates. other: every"
                    " other credential, images too.",
                },
                "of": _parent(),
                "key": _described("key", "Refers to the parent."),
                "parent_key": _described("key", "Where it does not refer to the parent's id."),
                "tenant": _described("column", "In every statement where it is given."),
                "created_at": _described("time", "A newer credential counts as activity."),
                "where": _ref("where"),
                "objects": _one_or_many("Objects that the rows name.", _ref("object")),
                "erase": _ref("erase"),
            },
            required=["name", "table", "class", "of", "key", "erase"],
        ),
        "object": _object(
            "A column that names an object outside the database.",
            {
                "column": _ref("column"),
                "uri": {
                    "type": "string",
                    "pattern": r"\{value\}",
                    "description": "Where the column has only a part: {value}, {tenant}, {id}.",
                    "examples": ["s3://kyc/{tenant}/{value}"],
                },
                "shared": {
                    "type": "boolean",
                    "default": False,
                    "description": "Rows of other accounts may name the same object.",
                },
            },
            required=["column"],
        ),
        "erase": {
            "description": "rows: they are deleted. set, remove: the row stays without them.",
            "oneOf": [{"const": "rows"}, _set_and_remove()],
        },
        "retained": {
            "oneOf": [
                _ref("table"),
                _object(
                    "A part of a table.",
                    {"table": _ref("table"), "where": _ref("where")},
                    required=["table"],
                ),
            ]
        },
    }


def _set_and_remove() -> Schema:
    path = _one_or_many("Keys and indices, from the outside in.", {"type": ["string", "integer"]})
    blanks = {
        "type": "object",
        "description": "Column: its new value. {id} in a text is the row's primary key.",
        "examples": [{"first_name": None, "extracted": {}}],
    }
    removals = {
        "type": "object",
        "description": "Column: the JSON paths that are taken out of it.",
        "additionalProperties": {"type": "array", "minItems": 1, "items": path},
        "examples": [{"context": [["entity", "data"]]}],
    }
    return {
        **_object("Columns blanked, JSON paths taken out.", {"set": blanks, "remove": removals}),
        "minProperties": 1,
    }


def _parent() -> Schema:
    return {
        "type": "string",
        "description": "account, transaction, or the name of a link.",
        "examples": ["transaction", "account"],
    }


def _file(title: str, description: str, properties: Schema, *, required: list[str]) -> Schema:
    return {
        "$schema": DRAFT,
        "title": title,
        **_object(description, properties, required=required),
    }


def _object(description: str, properties: Schema, required: list[str] | None = None) -> Schema:
    schema = {
        "type": "object",
        "description": description,
        "properties": properties,
        "additionalProperties": False,
    }
    return {**schema, "required": required} if required else schema


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _described(name: str, description: str) -> Schema:
    return {**_ref(name), "description": description}


def _one_or_many(description: str, one: Schema) -> Schema:
    many = {"type": "array", "minItems": 1, "items": one}
    return {"description": description, "anyOf": [one, many]}
