"""A bucket of S3, or of what speaks like it: objects go with all their versions and markers."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from retention_worker.domain.errors import StoreDown
from retention_worker.domain.objects.object import GONE, Result, StoreAnswer
from retention_worker.objects.object_store import Deleted, StoreInspection
from retention_worker.objects.throttle import Throttle

# What one DeleteObjects takes (Amazon S3 API Reference, DeleteObjects).
_BULK = 1_000
# Of a bucket with versions each key is listed by itself, so a chunk is smaller.
_VERSIONED = 50
# The longest key (Amazon S3 User Guide, "Naming Amazon S3 objects"), in bytes of UTF-8.
_LONGEST_KEY = 1_024

# The answer to HEAD has no body with a code; elsewhere a bare 404 is some proxy's.
_NOT_FOUND = "404"
_NOT_THERE = frozenset({"NoSuchKey", "NoSuchVersion"})
# The store understood and refuses: a right that is missing, Object Lock, a legal hold.
_DENIED = frozenset({"AccessDenied", "MethodNotAllowed", "ObjectLocked", "403"})
# A store that does not know such a request says one of these.
_UNKNOWN = frozenset({"MalformedXML", "NotImplemented", "501"})
# Of many keys at once each of these may mean that, too.
_NO_BULK = _UNKNOWN | _NOT_THERE | {"MethodNotAllowed"}
_ABOUT_OBJECTS = _DENIED | _NOT_THERE | _UNKNOWN
# An answer that is none of S3's: a page of a proxy, a key that is named in another way.
_NO_ANSWER = StoreAnswer(result=Result.LATER, error="no answer of S3")
# No version is listed under the key; HEAD finds one, or the listing names it in another way.
_UNLISTED = StoreAnswer(
    result=Result.LATER, error="it is there, and the store lists its versions under another name"
)
_UNKNOWN_WHETHER = StoreAnswer(
    result=Result.DENIED,
    error="no version is listed, and HEAD is refused: grant s3:GetObject and s3:ListBucket",
)
_MARKED = StoreAnswer(
    result=Result.LATER, error="the bucket keeps versions, though it did not say so: they are there"
)
_UNREADABLE = StoreAnswer(result=Result.LATER, error="the store's list of its versions is no XML")
# What XML 1.0 cannot carry: one such key makes a request of a thousand unreadable.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def client(*, timeout: int, connections: int) -> Any:
    """A client with credentials, region and address from the SDK's usual places.

    Raises:
        StoreDown: a profile or a region that is named does not exist.
    """
    # The SDK takes longer to make a client than to delete thousands of objects; what it reads from
    # the environment is part of the key, so that it is read again when it changes.
    environment = tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    return _made(timeout, connections, environment)


@lru_cache(maxsize=8)
def _made(timeout: int, connections: int, _environment: tuple[tuple[str, str], ...]) -> Any:
    try:
        made = boto3.session.Session().client(
            "s3",
            config=Config(
                connect_timeout=min(timeout, 5),
                read_timeout=timeout,
                max_pool_connections=connections,
                # Its own backoff with jitter, once; whatever lasts longer is the outbox's.
                retries={"mode": "standard", "total_max_attempts": 2},
                # Newer checksums are unknown to many stores that speak S3.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
    except (BotoCoreError, ValueError) as exc:
        raise StoreDown(f"S3: {type(exc).__name__}: {exc}") from exc
    made.meta.events.register("before-sign.s3.DeleteObjects", _add_md5)
    return made


def _add_md5(request: Any, **_: Any) -> None:
    """Stores that know no newer checksum refuse a bulk deletion without this one."""
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    request.headers["Content-MD5"] = base64.b64encode(digest).decode()


def code_of(exc: ClientError) -> str:
    """The store's code, such as AccessDenied; its message may quote a key."""
    return str(exc.response.get("Error", {}).get("Code") or "Unknown")


class Bucket:
    """A bucket. Whether it keeps versions is asked once, when it is first used."""

    def __init__(self, name: str, *, timeout: int, connections: int, throttle: Throttle) -> None:
        self._name = name
        self._timeout = timeout
        self._connections = connections
        self._throttle = throttle
        self._client: Any = None
        self._versioned: bool | None = None

    @property
    def chunk(self) -> int:
        """Keys of one call."""
        return _VERSIONED if self._versioned else _BULK

    def delete(self, keys: Sequence[str]) -> Deleted:
        """Delete keys; an answer that was had before the store went down still counts."""
        found: dict[str, StoreAnswer] = {}
        try:
            self.open()
            wanted = list(_possible(keys, found))
            if self._versioned:
                for key in wanted:
                    found[key] = self._delete_versions(key)
            else:
                found |= self._delete_bulk([{"Key": key} for key in wanted])
        except StoreDown as exc:
            return Deleted(verdicts=found, down=str(exc))
        return Deleted(verdicts=found)

    def spellings(self, uri: str) -> tuple[str, ...]:
        """A key of S3 is written in one way."""
        return (uri,)

    def there(self, keys: Sequence[str]) -> set[str]:
        """Which keys have an object, or versions of one."""
        self.open()
        with _translated():
            if self._versioned:
                return {key for key in keys if self._has_versions(key)}
            return {key for key in keys if self._has(key)}

    def open(self) -> None:
        """Connect and learn whether the bucket keeps versions.

        Raises:
            StoreDown: it cannot be asked, or does not say.
        """
        if self._client is None:
            self._client = client(timeout=self._timeout, connections=self._connections)
        if self._versioned is None:
            with _translated():
                self._versioned = self._keeps_versions()

    def inspect(self, name: str) -> StoreInspection:
        """Ask the bucket what it is, and what we may do."""
        from retention_worker.objects.s3_inspection import inspect_bucket  # noqa: PLC0415

        return inspect_bucket(name, self._name, timeout=self._timeout)

    def _keeps_versions(self) -> bool:
        try:
            status = self._client.get_bucket_versioning(Bucket=self._name).get("Status")
        except ClientError as exc:
            if code_of(exc) in _UNKNOWN:  # a store that has no versions at all
                return False
            if code_of(exc) not in _DENIED:
                raise
            # Without the right to ask: what lists versions shows them, too, where there are any.
            self._client.list_object_versions(Bucket=self._name, MaxKeys=1)
            return True
        # A bucket whose versioning is suspended still has the versions from before.
        return status in {"Enabled", "Suspended"}

    def _has(self, key: str) -> bool:
        try:
            self._client.head_object(Bucket=self._name, Key=key)
        except ClientError as exc:
            if code_of(exc) in _NOT_THERE | {_NOT_FOUND}:
                return False
            raise
        return True

    def _has_versions(self, key: str) -> bool:
        if any(True for _ in self._versions(key)):
            return True
        verdict = self._unlisted(key)
        if verdict.result is Result.DENIED:
            raise StoreDown(f"{verdict.error}")
        return verdict != GONE

    def _delete_versions(self, key: str) -> StoreAnswer:
        """Every version and delete marker of one key."""
        verdict: StoreAnswer | None = None
        page: list[dict[str, str]] = []
        try:
            with _translated():
                for version in self._versions(key):
                    page.append(version)
                    if len(page) == _BULK:
                        verdict = _worse(verdict or GONE, self._delete_bulk(page)[key])
                        page = []
        except StoreDown:
            if _NOT_IN_XML.search(key):  # such a list is no XML, and that stops no other key
                return _UNREADABLE
            raise
        if page:
            return _worse(verdict or GONE, self._delete_bulk(page)[key])
        if verdict is None:
            with _translated():
                return self._unlisted(key)
        return verdict

    def _unlisted(self, key: str) -> StoreAnswer:
        """What holds for a key of which no version is listed: HEAD has the last word.

        A listing may spell a key otherwise: XML makes a line feed of a carriage return, and not
        every store encodes what it lists.
        """
        try:
            self._client.head_object(Bucket=self._name, Key=key)
        except ClientError as exc:
            code, answer = code_of(exc), exc.response.get("ResponseMetadata", {})
            if code in _DENIED:
                return _UNKNOWN_WHETHER
            if code not in _NOT_THERE | {_NOT_FOUND}:
                raise
            # Of a key whose latest version is a delete marker HEAD says 404, too.
            is_marker = answer.get("HTTPHeaders", {}).get("x-amz-delete-marker") == "true"
            return _UNLISTED if is_marker else GONE
        return _UNLISTED

    def _versions(self, key: str) -> Iterator[dict[str, str]]:
        """Versions and markers of exactly this key; the listing is in order of the keys.

        The SDK asks for keys that are encoded as in a URL, and decodes them.

        Raises:
            StoreDown: what answers is no listing.
        """
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=self._name, Prefix=key, PaginationConfig={"PageSize": 100}
        )
        for page in pages:
            if "Name" not in page:  # the one element that every listing has
                raise StoreDown("no listing of S3")
            listed = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            for each in listed:
                if each["Key"] == key:
                    yield {"Key": key, "VersionId": each["VersionId"]}
            if any(each["Key"] != key for each in listed):
                return

    def _delete_bulk(self, objects: Sequence[Mapping[str, str]]) -> dict[str, StoreAnswer]:
        """Ask for up to a thousand at once; the worst answer where a key has several versions."""
        if not objects:
            return {}
        odd = [each for each in objects if _NOT_IN_XML.search(each["Key"])]
        if odd:
            plain = [each for each in objects if not _NOT_IN_XML.search(each["Key"])]
            return self._delete_bulk(plain) | self._delete_one_by_one(odd)
        self._throttle.take(len(objects))
        try:
            with _translated(denied=False):
                answer = self._client.delete_objects(
                    Bucket=self._name, Delete={"Objects": list(objects), "Quiet": False}
                )
        except ClientError as exc:
            if code_of(exc) in _NO_BULK:
                return self._delete_one_by_one(objects)
            return {each["Key"]: _verdict(code_of(exc)) for each in objects}
        found: dict[str, StoreAnswer] = {}
        for error in answer.get("Errors", ()):
            _note(found, error["Key"], _verdict(error.get("Code", "Unknown")))
        # Silence is no answer: an empty page of some proxy would have everything be gone.
        done = {_named(each): each for each in answer.get("Deleted", ())}
        silent = [each for each in objects if _named(each) not in done and each["Key"] not in found]
        for (key, version), each in done.items():
            _note(found, key, self._deleted(each, version))
        for key, verdict in self._delete_one_by_one(silent).items():
            _note(found, key, verdict)
        return found

    def _delete_one_by_one(self, objects: Sequence[Mapping[str, str]]) -> dict[str, StoreAnswer]:
        found: dict[str, StoreAnswer] = {}
        for each in objects:
            try:
                with _translated(denied=False):
                    answer = self._client.delete_object(Bucket=self._name, **each)
            except ClientError as exc:
                _note(found, each["Key"], _verdict(code_of(exc)))
                continue
            # What S3 says of a deletion (Amazon S3 API Reference, DeleteObject).
            done = answer["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NO_CONTENT
            said = self._deleted(answer, each.get("VersionId"))
            _note(found, each["Key"], said if done else _NO_ANSWER)
        return found

    def _deleted(self, answer: Mapping[str, Any], version: str | None) -> StoreAnswer:
        """What an answer means that says `deleted`: without a version it may have made a marker."""
        if version is None and answer.get("DeleteMarker"):
            self._versioned = True
            return _MARKED
        return GONE


@contextmanager
def _translated(*, denied: bool = True) -> Iterator[None]:
    """Raise StoreDown for what concerns the store as a whole.

    With `denied=False` an answer about the objects of a request passes through as it is.
    """
    try:
        yield
    except ClientError as exc:
        code = code_of(exc)
        if not denied and code in _ABOUT_OBJECTS:
            raise
        _made.cache_clear()
        raise StoreDown(code) from exc
    except BotoCoreError as exc:
        _made.cache_clear()  # credentials may have been exchanged where the SDK read them
        raise StoreDown(type(exc).__name__) from exc


def _possible(keys: Sequence[str], found: dict[str, StoreAnswer]) -> Iterator[str]:
    """Keys that can be one; the others fail by themselves and not with the whole request."""
    for key in keys:
        if not key or len(key.encode()) > _LONGEST_KEY:
            found[key] = StoreAnswer(result=Result.FAILED, error="no key of S3")
        else:
            yield key


def _verdict(code: str) -> StoreAnswer:
    if code in _NOT_THERE:
        return GONE
    result = Result.DENIED if code in _DENIED else Result.LATER
    return StoreAnswer(result=result, error=code)


_ORDER = (Result.GONE, Result.LATER, Result.DENIED, Result.FAILED)


def _named(each: Mapping[str, str]) -> tuple[str, str | None]:
    """An object as a bulk deletion and its answer name it."""
    return each["Key"], each.get("VersionId")


def _note(found: dict[str, StoreAnswer], key: str, verdict: StoreAnswer) -> None:
    found[key] = _worse(found.get(key, GONE), verdict)


def _worse(one: StoreAnswer, other: StoreAnswer) -> StoreAnswer:
    return max(one, other, key=lambda each: _ORDER.index(each.result))
