"""The errors of a route as its OpenAPI document says them."""

from __future__ import annotations

from typing import Any

from retention_worker.web.problems import MEDIA_TYPE

PROBLEM_REFERENCE = {"$ref": "#/components/schemas/Problem"}

_WORDS = {
    400: "The request is malformed.",
    401: "There is no valid access token.",
    403: "The token lacks the permission.",
    404: "Unknown here, or another tenant's: the answer is the same.",
    409: "It cannot be done in this state.",
    413: "The body is too large.",
    422: "A field is missing or wrong.",
    423: "The account is on a legal hold.",
    429: "Too many requests: `Retry-After` says when to ask again.",
    503: "It cannot be answered at the moment: `Retry-After` says when to ask again.",
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may end with these."""
    return {status: _response(status) for status in statuses}


def _response(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": _WORDS[status],
        "content": {MEDIA_TYPE: {"schema": PROBLEM_REFERENCE}},
    }
    return found | ({"headers": _RETRY_AFTER} if status in {429, 503} else {})
