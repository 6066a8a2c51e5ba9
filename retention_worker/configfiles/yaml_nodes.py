"""A YAML file as plain values, each with the line and column where it stands.

YAML 1.2 with its core schema (`no` is a text, 2026-01-01 is a text), and without what lets a file
mean something else than it seems to: duplicate keys, anchors, tags, directives, several documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)
from ruamel.yaml.reader import ReaderError

from retention_worker.configfiles.text import FileText, place_of, refused

# The data map at its deepest (a JSON value of a blanked column) needs eight; without a limit a file
# of brackets alone would end in Python's own recursion limit.
MAX_DEPTH = 24

Loc = tuple[str | int, ...]


@dataclass(frozen=True)
class Mark:
    """A place in a file; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Document:
    """What a file says: dicts, lists, str, int, float, bool and None, and where each stands.

    `marks` has the place of every value by its path, `key_marks` that of every key. A value that
    is left empty stands where its key does.
    """

    path: Path
    source: FileText
    value: Any
    marks: Mapping[Loc, Mark]
    key_marks: Mapping[Loc, Mark]


def dotted(loc: Loc) -> str:
    """A path as people write it: `credentials[0].erase.set`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return "".join(parts).removeprefix(".")


def parse(path: Path, source: FileText) -> Document:
    """Read the text of a file; `path` is only named in problems.

    Raises:
        FileProblemsError: it is no YAML, or has something of what the module refuses.
    """
    composer = _Composer(path=path, events=YAML(typ="safe", pure=True).parse(source.text))
    try:
        value = composer.document()
    except ReaderError as exc:
        mark = place_of(source.text[: exc.position])
        raise refused(path, *mark, "has a control character: take it out") from exc
    except MarkedYAMLError as exc:
        at = exc.problem_mark or exc.context_mark
        mark = (at.line + 1, at.column + 1) if at else (1, 1)
        raise refused(path, *mark, _explained(exc)) from exc
    return Document(
        path=path,
        source=source,
        value=value,
        marks=composer.marks,
        key_marks=composer.key_marks,
    )


def _explained(error: MarkedYAMLError) -> str:
    """What the parser found, in the words of somebody who writes a file."""
    problem = " ".join((error.problem or "it cannot be read").split())
    if "'\\t'" in problem:
        return "has a tab: indent with spaces"
    if "mapping values are not allowed" in problem:
        return "has a colon where none can be: check the indentation, or put the text in quotes"
    if "that cannot start any token" in problem:
        return f"is not YAML ({problem}): put the text in quotes"
    return f"is not YAML ({problem}): check quotes, brackets and indentation"


@dataclass(kw_only=True)
class _Composer:
    """Builds the values from the parser's events, and refuses at the first fault."""

    path: Path
    events: Iterator[Any]
    marks: dict[Loc, Mark] = field(default_factory=dict)
    key_marks: dict[Loc, Mark] = field(default_factory=dict)

    def document(self) -> Any:
        """The value of the one document; None where the file is empty."""
        assert isinstance(next(self.events), StreamStartEvent)
        start = next(self.events)
        if isinstance(start, StreamEndEvent):
            self.marks[()] = Mark(1, 1)
            return None
        assert isinstance(start, DocumentStartEvent)
        if start.version or start.tags:
            self._refuse(Mark(1, 1), (), "has a % line: leave it out")
        value = self._node(next(self.events), (), Mark(1, 1))
        assert isinstance(next(self.events), DocumentEndEvent)
        rest = next(self.events)
        if not isinstance(rest, StreamEndEvent):
            self._refuse(_mark(rest), (), "has a second document: write one file for each")
        return value

    def _node(self, event: Any, loc: Loc, key: Mark) -> Any:
        mark = key if isinstance(event, ScalarEvent) and _is_empty(event) else _mark(event)
        self.marks[loc] = mark
        if isinstance(event, AliasEvent) or event.anchor:
            self._refuse(mark, loc, "anchors and aliases are not read: write the value out")
        if event.tag is not None:
            self._refuse(mark, loc, f"the tag {event.tag!r} is not read: leave it out")
        if len(loc) > MAX_DEPTH:
            self._refuse(mark, loc[:1], f"is nested deeper than {MAX_DEPTH}: make it flatter")
        if isinstance(event, MappingStartEvent):
            return self._mapping(loc)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(loc)
        return self._scalar(event, loc, mark)

    def _mapping(self, loc: Loc) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            mark = _mark(event)
            key = self._key(event, loc, mark)
            here = (*loc, key)
            if key in values:
                first = self.key_marks[here].line
                self._refuse(mark, here, f"is there twice, first in line {first}: keep one")
            self.key_marks[here] = mark
            values[key] = self._node(next(self.events), here, mark)
        return values

    def _key(self, event: Any, loc: Loc, mark: Mark) -> str:
        if not isinstance(event, ScalarEvent):
            self._refuse(mark, loc, "has a key that is no text: write a name before the colon")
        key = self._node(event, (*loc, event.value), mark)
        if not isinstance(key, str):
            self._refuse(mark, (*loc, event.value), "a key is a text: put it in quotes")
        return key

    def _sequence(self, loc: Loc) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            values.append(self._node(event, (*loc, len(values)), _mark(event)))
        return values

    def _scalar(self, event: ScalarEvent, loc: Loc, mark: Mark) -> Any:
        try:
            text = _storable(event.value)
        except ValueError:
            self._refuse(mark, loc, "has a character that no database stores: take it out")
        if not event.implicit[0]:  # quoted, or a block: a text whatever it looks like
            return text
        try:
            return _plain(text)
        except ValueError as exc:
            self._refuse(mark, loc, str(exc))

    def _refuse(self, mark: Mark, loc: Loc, message: str) -> NoReturn:
        raise refused(self.path, mark.line, mark.column, message, key=dotted(loc))


_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
# What the core schema reads as numbers and people, or other programs, read differently.
_DOUBTFUL = re.compile(r"[-+]?0[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# PostgreSQL's bigint: no key or kind is larger, and a longer number is an id that wants quotes.
_BIGINT = 2**63


def _plain(text: str) -> str | int | float | bool | None:
    """An unquoted scalar by YAML's core schema.

    Raises:
        ValueError: a number that is not the same to every reader.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _DOUBTFUL.fullmatch(text):
        raise ValueError("this number is read in different ways: write it in quotes, or plainly")
    if _INTEGER.fullmatch(text):
        if len(text) > 20 or not -_BIGINT <= int(text) < _BIGINT:
            raise ValueError("this number is too large: write it in quotes")
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _storable(text: str) -> str:
    """The text, with the two halves of a character that JSON escapes one by one put together.

    Raises:
        ValueError: half a character, or a NUL.
    """
    if "\x00" in text:
        raise ValueError("NUL")
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _is_empty(event: ScalarEvent) -> bool:
    return bool(event.implicit[0]) and event.value == ""
