"""An entry of the data map: a table with personal data, and how it is erased."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from retention_worker.domain.datamap.columns import (
    Identifier,
    Key,
    MapPart,
    TableName,
    TimeColumn,
    Where,
    one_or_many,
)
from retention_worker.domain.scope import CredentialClass

# Such a URI can be taken apart in thousands of ways, and nobody could tell what it was made of.
_THREE_MEET = re.compile(r"\}\{[a-z]+\}\{")


class ObjectSource(MapPart):
    """The column that names an object outside the database, directly or by a template.

    `uri` may hold `{tenant}`, `{id}` (the account's id) and must hold `{value}` (the column's
    value). `shared` says that rows of other accounts may name the same object.
    """

    column: Identifier
    uri: str | None = None
    shared: bool = False

    @field_validator("uri")
    @classmethod
    def _template(cls, value: str | None) -> str | None:
        if value is None:
            return value
        rest = value
        for field in ("{tenant}", "{id}", "{value}"):
            rest = rest.replace(field, "")
        if "{value}" not in value or "{" in rest or "}" in rest:
            raise ValueError("is no template: write {value}, and beside it only {tenant} and {id}")
        if _THREE_MEET.search(value):
            raise ValueError("is read in too many ways: write something between its fields")
        return value


def _path(value: Any) -> Any:
    path = one_or_many(value)
    if not path or not all(isinstance(part, str | int) for part in path):
        raise ValueError("is no JSON path: write keys and indices, such as [entity, data]")
    if any(isinstance(part, bool) for part in path):
        raise ValueError("is no JSON path: write true and false in quotes")
    return path


def _paths(value: Any) -> Any:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("is no list of JSON paths: write [[entity, data]]")
    return tuple(value)


JsonPath = Annotated[tuple[str | int, ...], BeforeValidator(_path)]
JsonPaths = Annotated[tuple[JsonPath, ...], BeforeValidator(_paths)]

_ERASE = "write rows, or {set: {column: value}}, or {remove: {column: [[path]]}}"


class SetAndRemove(MapPart):
    """Columns blanked (`set`: column -> new value) and JSON paths taken out (`remove`).

    The row stays. `{id}` in a text value is the row's primary key, which keeps UNIQUE columns
    unique.
    """

    set: dict[Identifier, Any] = Field(default_factory=dict)
    remove: dict[Identifier, JsonPaths] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something(self) -> SetAndRemove:
        if not self.set and not self.remove:
            raise ValueError(f"erases nothing: {_ERASE}")
        both = sorted(self.set.keys() & self.remove.keys())
        if both:
            raise ValueError(f"column {both[0]} stands under set and under remove: keep one")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is written, in the file's order."""
        return (*self.set, *self.remove)


def _form_of_erase(value: Any) -> str:
    return "columns" if isinstance(value, dict | SetAndRemove) else "rows"


def _rows(value: Any) -> Any:
    if value != "rows":
        raise ValueError(f"is no way to erase: {_ERASE}")
    return value


Erase = Annotated[
    Annotated[Literal["rows"], BeforeValidator(_rows), Tag("rows")]
    | Annotated[SetAndRemove, Tag("columns")],
    Discriminator(_form_of_erase),
]


class Credential(MapPart):
    """An entry: a table (or a part of one) with personal data, and how it is erased."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    table: TableName
    class_: CredentialClass = Field(alias="class")
    of: str
    key: Key
    parent_key: Key | None = None
    tenant: Identifier | None = None
    created_at: TimeColumn | None = None
    where: Where | None = None
    objects: Annotated[tuple[ObjectSource, ...], BeforeValidator(one_or_many)] = ()
    erase: Erase

    @field_validator("class_", mode="before")
    @classmethod
    def _class(cls, value: Any) -> Any:
        if isinstance(value, str) and value in set(CredentialClass):
            return CredentialClass(value)
        raise ValueError("is no class: write biometric or other")


class Retained(MapPart):
    """A table, or the part of one, that was looked at and stays."""

    table: TableName
    where: Where | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"table": value} if isinstance(value, str | list) else value
