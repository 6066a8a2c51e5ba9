"""Things as JSON: what `--json` prints and the API answers, by the names of the fields.

A dataclass is an object of its fields in their order. What a class keeps out of its `repr`, such as
a secret, is in no document. `in_json` says where a field is written otherwise; a class whose
document is more than its fields has a method `to_json`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from typing import Any

from retention_worker.domain.instant import stamp

_NAME, _BY, _OPTIONAL, _LEFT_OUT = "json_name", "json_by", "json_optional", "json_left_out"


def in_json(
    name: str | None = None,
    *,
    by: Callable[[Any], Any] | None = None,
    optional: bool = False,
    left_out: bool = False,
) -> dict[str, Any]:
    """The metadata of a field that is not written as it is.

    Args:
        name: its key, where that is not the field's name.
        by: makes its value.
        optional: the key is left out where the value is None.
        left_out: it is never written.
    """
    return {_NAME: name, _BY: by, _OPTIONAL: optional, _LEFT_OUT: left_out}


def document(value: Any, *, instant: Callable[[datetime], str] = stamp) -> Any:
    """The JSON value of a thing.

    Times are ISO 8601, UTC, six digits (or what `instant` makes of them), lengths are seconds and
    sets are sorted.
    """

    def inner(each: Any) -> Any:
        return document(each, instant=instant)

    if hasattr(value, "to_json"):
        return inner(value.to_json())
    if is_dataclass(value):
        return _object(value, inner)
    if isinstance(value, Mapping):
        return {_key(key): inner(each) for key, each in value.items()}
    if isinstance(value, Set):
        return sorted(map(inner, value))
    if isinstance(value, list | tuple):
        return [inner(each) for each in value]
    if isinstance(value, datetime):
        return instant(value)
    return value.total_seconds() if isinstance(value, timedelta) else value


def _object(value: Any, inner: Callable[[Any], Any]) -> dict[str, Any]:
    found = {}
    for field in fields(value):
        how, content = field.metadata, getattr(value, field.name)
        if not field.repr or how.get(_LEFT_OUT) or (how.get(_OPTIONAL) and content is None):
            continue
        by = how.get(_BY)
        found[how.get(_NAME) or field.name] = inner(by(content) if by else content)
    return found


def _key(key: Any) -> Any:
    return key.isoformat() if isinstance(key, date) else key
