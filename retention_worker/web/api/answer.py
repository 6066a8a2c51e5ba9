"""The form of what the API takes and gives: camelCase names, texts that a database can keep."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from retention_worker.web.reason import MAX_REASON, one_line


class ResponsePart(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class RequestBody(BaseModel):
    """The body of a request; a name that is unknown is refused, so that none is misspelt."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


def _written(text: str) -> str:
    line = one_line(text)
    if not line:
        raise ValueError("write why")
    return line


Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_REASON),
    AfterValidator(_written),
]
"""Why, for the record: 1 to 500 printable characters."""
