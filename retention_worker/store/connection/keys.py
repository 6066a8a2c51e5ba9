"""Ids of somebody else's rows: the values of the id columns, as the database's own texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from retention_worker.domain.errors import UnknownSubject

# No index holds a longer key, and without one there are no ids.
_MAX_ID = 2700

Key = tuple[str, ...]
"""The values of the id columns, in the data map's order."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stretch of the rows directly under one account.

    `name` says which rows (`transaction`, or a link); `upto` None is the end of the walk: the
    entries that hang on the account itself.
    """

    name: str | None
    after: Key | None
    upto: Key | None


def id_text(key: Key) -> str:
    """An id as one text: itself, or a JSON array of texts where it is composite."""
    return key[0] if len(key) == 1 else json.dumps(list(key), ensure_ascii=False)


def parse_id(text: str, width: int) -> Key:
    """The key that a person or a program wrote as one text.

    Raises:
        UnknownSubject: no database has such an id: it is too long, or has a character that no text
            may have; a composite one is no JSON array of as many texts as it has columns.
    """
    if len(text) > _MAX_ID:
        raise UnknownSubject(f"an id has no more than {_MAX_ID} characters")
    key = (text,) if width == 1 else _parse_composite(text, width)
    if not all(_is_storable(part) for part in key):
        raise UnknownSubject("the id has a character that no text in a database has")
    return key


def _parse_composite(text: str, width: int) -> Key:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) != width:
        raise UnknownSubject(f'the id has {width} columns: write a JSON array, like ["a", "b"]')
    return tuple(str(value) for value in found)


def _is_storable(text: str) -> bool:
    """PostgreSQL has no NUL in a text, and half of a surrogate pair is no character."""
    return "\x00" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def key_parameters(keys: Sequence[Key], width: int) -> dict[str, Any]:
    """The parameters of `k`: k0, k1, ... and ids, each an array's literal."""
    return dict(_literals(tuple(keys), width))


# A batch hands the same keys to each of its statements: the driver would write them each time anew.
@lru_cache(maxsize=8)
def _literals(keys: tuple[Key, ...], width: int) -> Mapping[str, str]:
    columns = {f"k{i}": array_literal([key[i] for key in keys]) for i in range(width)}
    return columns | {"ids": array_literal([id_text(key) for key in keys])}


def array_literal(texts: Iterable[str | None]) -> str:
    """An array of texts as PostgreSQL reads it, whatever is in them; None is NULL."""
    return "{" + ",".join(map(_quoted, texts)) + "}"


def _quoted(text: str | None) -> str:
    if text is None:
        return "NULL"
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
