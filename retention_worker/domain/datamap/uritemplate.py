"""The template that makes an object's URI of a column's value, and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

FIELDS = ("{tenant}", "{id}", "{value}")
_FIELD = re.compile(r"(\{tenant\}|\{id\}|\{value\})")
# Two fields that meet can be read in as many ways as a key of S3 is long.
_MOST = 1_024


class TooManyReadings(ValueError):
    """Nobody can say what made the URI."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """A way in which a template may have made a URI; None: the field is not in it."""

    tenant: str | None
    id: str | None
    value: str


def pieces_of(template: str | None) -> list[str]:
    """The literal parts and the fields, in order; without a template the value alone."""
    return [piece for piece in _FIELD.split(template or "{value}") if piece]


def splits(template: str | None, uri: str) -> list[Split]:
    """Every way to read a URI by the template: where two fields meet there are several.

    Raises:
        TooManyReadings: a reading that is left out might be the right one.
    """
    found: list[Split] = []
    for fields in _read(pieces_of(template), uri, {}):
        if len(found) == _MOST:
            raise TooManyReadings
        found.append(
            Split(
                tenant=fields.get("{tenant}"),
                id=fields.get("{id}"),
                value=fields["{value}"],
            )
        )
    return found


def _read(pieces: Sequence[str], rest: str, fields: dict[str, str]) -> Iterator[dict[str, str]]:
    if not pieces:
        if not rest:
            yield fields
        return
    piece, *others = pieces
    if piece not in FIELDS:
        if rest.startswith(piece):
            yield from _read(others, rest[len(piece) :], fields)
        return
    if piece in fields:
        if rest.startswith(fields[piece]):
            yield from _read(others, rest[len(fields[piece]) :], fields)
        return
    for end in _ends(others, rest):
        yield from _read(others, rest[end:], fields | {piece: rest[:end]})


def _ends(others: Sequence[str], rest: str) -> Iterator[int]:
    """Where a field that is not empty may end: before the next literal, or at the end."""
    if not rest:
        return
    if not others:
        yield len(rest)
        return
    if others[0] in FIELDS:
        yield from range(1, len(rest) + 1)
        return
    at = rest.find(others[0], 1)
    while at != -1:
        yield at
        at = rest.find(others[0], at + 1)
