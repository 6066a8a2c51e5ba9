"""Reads a function's source as well as a look can: the tables that it names, what it calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

Name = tuple[str | None, str]
"""A schema, or None where search_path decides, and a name; as the catalog has them."""

_WORD = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*+)'
_NAME = rf"({_WORD}(?:\s*\.\s*{_WORD})?)(?!\s*[.(])"
_CALL = re.compile(rf"({_WORD}(?:\s*\.\s*{_WORD})?)\s*\(")
_PART = re.compile(_WORD)
# Comments and texts say nothing of tables; what is quoted for EXECUTE is not read either.
_NOISE = re.compile(
    r"--[^\n]*|/\*.*?\*/|[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$", re.DOTALL
)
_DYNAMIC = re.compile(r"\bEXECUTE\b", re.IGNORECASE)
_WITH = re.compile(rf"({_WORD})\s*(?:\([^()]*\)\s*)?AS\s+(?:NOT\s+)?(?:MATERIALIZED\s+)?\(", re.I)
_WRITES = (
    ("INSERT", re.compile(rf"\b(?:INSERT|MERGE)\s+INTO\s+{_NAME.replace('[.(]', '[.]')}", re.I)),
    (
        "UPDATE",
        re.compile(rf"(?<!FOR )(?<!KEY )(?<!DO )\bUPDATE\s+(?:ONLY\s+)?(?!SET\b){_NAME}", re.I),
    ),
    ("DELETE", re.compile(rf"\bDELETE\s+FROM\s+(?:ONLY\s+)?{_NAME}", re.I)),
    ("TRUNCATE", re.compile(rf"\bTRUNCATE\s+(?:TABLE\s+)?(?:ONLY\s+)?{_NAME}", re.I)),
)
_ALIAS = rf"(?:\s+(?:AS\s+)?{_WORD})?"
_READS = re.compile(
    rf"(?<!DELETE )(?<!DISTINCT )\b(?:FROM|JOIN|USING)\s+(?:ONLY\s+)?{_NAME}"
    rf"((?:{_ALIAS}\s*,\s*{_WORD}(?:\s*\.\s*{_WORD})?)*)",
    re.I,
)
_LIST = re.compile(rf",\s*{_NAME}")
_LOCKS = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+UPDATE|UPDATE|KEY\s+SHARE|SHARE)\b", re.I)
_CHANGES = re.compile(r"\bDO\s+UPDATE\b", re.I)
_RETURNS = re.compile(r"\bRETURNING\b", re.I)
_ROWS = {(None, "old"), (None, "new")}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was found: (table, privilege) pairs, functions that may be called, what is written.

    `dynamic`: it runs text that is made on the way, which no look can tell.
    """

    touches: frozenset[tuple[Name, str]]
    writes: frozenset[Name]
    calls: frozenset[Name]
    dynamic: bool


def read_source(source: str) -> Reading:
    """The best reading of a body in PL/pgSQL or SQL; names that are no tables may be among them."""
    text = " ".join(_NOISE.sub(" ", source).split())
    own = {_name(found) for found in _WITH.findall(text)} | _ROWS
    touches = {
        touched
        for statement in text.split(";")
        for touched in _statement(statement)
        if touched[0] not in own and touched[0][0] not in {"old", "new"}
    }
    written = {_name(found) for _, form in _WRITES for found in form.findall(text)}
    return Reading(
        touches=frozenset(touches),
        writes=frozenset(written - own),
        calls=frozenset(map(_name, _CALL.findall(text))),
        dynamic=_DYNAMIC.search(text) is not None,
    )


def _statement(text: str) -> Iterator[tuple[Name, str]]:
    written = {(_name(found), how) for how, form in _WRITES for found in form.findall(text)}
    yield from written
    returns = _RETURNS.search(text) is not None
    for name, how in written:
        if how == "INSERT" and _CHANGES.search(text):
            yield name, "UPDATE"
        if how in {"UPDATE", "DELETE"} or returns or _CHANGES.search(text):
            yield name, "SELECT"  # its condition reads
    for first, more in _READS.findall(text):
        for found in (first, *_LIST.findall(more)):
            yield _name(found), "SELECT"
            if _LOCKS.search(text):
                yield _name(found), "UPDATE"


def _name(text: str) -> Name:
    parts = [_folded(part) for part in _PART.findall(text)]
    return (parts[0], parts[1]) if len(parts) > 1 else (None, parts[0])


def _folded(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part.lower()
