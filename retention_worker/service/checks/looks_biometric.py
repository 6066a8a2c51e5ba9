"""Does a column look biometric, by its name and its type."""

from __future__ import annotations

import re

# pgvector's types, and others that hold features of a face.
_VECTORS = {"vector", "halfvec", "sparsevec", "cube"}
# What can hold a template at all: a number or a time cannot.
_HOLDERS = {"bytea", "text", "varchar", "bpchar", "json", "jsonb", "oid", "xml", "hstore"}
_BLOBS = {"bytea", "json", "jsonb", "oid"}
# Said of nothing else, wherever they stand in a name.
_ANYWHERE = re.compile(r"embedding|biometr|fingerprint|faceprint|voiceprint")
# Words of their own: a surface has no face, an invoice no voice.
_WORD = re.compile(r"(face|iris|voice|vector|template)(vector|template|print|image|data)?s?")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# The last word of a column that describes a biometric and is none.
_DESCRIBING = {
    *("id", "name", "kind", "type", "version", "model", "status", "state", "score", "count"),
    *("result", "outcome", "at", "url", "locale", "language", "subject", "body"),
}


def is_vector(type_name: str) -> bool:
    """Whether the type is made for embeddings."""
    return type_name in _VECTORS


def looks_biometric(table: str, column: str, type_name: str) -> bool:
    """Whether a column of that type may hold a face, a voice or a finger.

    In a table whose own name says so, every column of bytes, JSON or arrays counts.
    """
    array = type_name.startswith("_")
    if is_vector(type_name.removeprefix("_")):
        return True
    if not array and type_name not in _HOLDERS:
        return False
    words = _split(column)
    if words and words[-1] in _DESCRIBING:
        return False
    return _says(column) or (_says(table) and (array or type_name in _BLOBS))


def _says(name: str) -> bool:
    plain = name.replace("_", "").lower()
    return bool(_ANYWHERE.search(plain)) or any(map(_WORD.fullmatch, _split(name)))


def _split(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]
