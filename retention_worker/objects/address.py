"""A URI as the outbox has it: which store, and which object in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never
from urllib.parse import unquote


class StoreKind(StrEnum):
    """What kinds of stores there are, by the scheme of their URIs."""

    S3 = "s3"
    FILES = "file"


_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)")
# What the SDK takes: a bucket, or the ARN of an access point. Anything else no store ever answers.
_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}|arn:[A-Za-z0-9:._-]+")


@dataclass(frozen=True, kw_only=True)
class Address:
    """`kind` s3 (`place` the bucket, `key` the object's key) or file (`key` a path)."""

    kind: StoreKind
    place: str
    key: str


def kind_of(store: str) -> tuple[StoreKind, str] | None:
    """Kind and place of a store's name (`s3://bucket`, `file://`, or nothing for bare paths).

    None where no store of ours is meant.
    """
    found = _URI.fullmatch(store)
    if found is None:
        return (StoreKind.FILES, "") if not store else None
    scheme, place = found[1].lower(), found[2]
    if scheme == StoreKind.S3:
        return (StoreKind.S3, place) if _BUCKET.fullmatch(place) else None
    # RFC 8089: an empty authority, or localhost, is this host.
    return (
        (StoreKind.FILES, "") if scheme == StoreKind.FILES and place in {"", "localhost"} else None
    )


def address_of(uri: str) -> Address | None:
    """Which object a URI names.

    `s3://bucket/key` (the key as it stands, not decoded), `file:///path` (percent-decoded, RFC
    8089), or a bare path. None where it is anything else.
    """
    found = _URI.match(uri)
    if found is None:
        named = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", uri)
        return None if named or not uri else Address(kind=StoreKind.FILES, place="", key=uri)
    store, rest = uri[: found.end()], uri[found.end() :]
    known = kind_of(store)
    if known is None or len(rest) < 2:
        return None
    kind, place = known
    match kind:
        case StoreKind.S3:
            return Address(kind=kind, place=place, key=rest[1:])
        case StoreKind.FILES:
            return Address(kind=kind, place=place, key=unquote(rest))
        case _:
            assert_never(kind)


def is_shelf(location: str) -> bool:
    """Whether a location is a prefix of a bucket, and no path."""
    return location.lower().startswith("s3://")
