"""A prefix of a bucket to which files are only added: what an export of the ledger is kept in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from retention_worker.domain.errors import ConfigurationError, NeedsPerson, StoreDown
from retention_worker.objects.address import StoreKind, address_of
from retention_worker.objects.s3 import client, code_of

# Asked twice at the most: sweeps of `run` wait for an export, and a stop has 25 seconds.
_TIMEOUT_SECONDS = 10
_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


class ExportBucket:
    """The objects below `s3://bucket/prefix/`, in the order of their names.

    Raises:
        ConfigurationError: it is no such address.
        StoreDown: the store cannot be asked; of every method.
    """

    def __init__(self, location: str) -> None:
        address = address_of(f"{location.rstrip('/')}/")
        if address is None or address.kind is not StoreKind.S3:
            raise ConfigurationError(f"{location}: write s3://bucket/prefix")
        self.location = location.rstrip("/")
        self._bucket = address.place
        self._prefix = address.key
        self._s3 = client(timeout=_TIMEOUT_SECONDS, connections=2)

    def names(self) -> list[tuple[str, str]]:
        """Names without the prefix, each with its ETag."""
        with self._asked():
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            return [
                (each["Key"].removeprefix(self._prefix), each["ETag"])
                for page in pages
                for each in page.get("Contents", ())
            ]

    def read(self, name: str, into: BinaryIO) -> None:
        """Append an object to a file."""
        with self._asked():
            found = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + name)
            # Not `download_fileobj`: that one writes from the file's beginning.
            shutil.copyfileobj(found["Body"], into)

    def get(self, name: str) -> bytes | None:
        """A small object; None where there is none."""
        try:
            with self._asked():
                found = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + name)
                body: bytes = found["Body"].read()
                return body
        except StoreDown as exc:
            if str(exc).endswith("NoSuchKey"):
                return None
            raise

    def put(self, name: str, body: bytes) -> None:
        """Write a small object, over another one of that name."""
        with self._asked():
            self._s3.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=body)

    def add(self, name: str, body: BinaryIO) -> str:
        """Write an object that must not be there yet; its ETag.

        Raises:
            NeedsPerson: another process wrote it meanwhile.
        """
        try:
            with self._asked():
                done: dict[str, Any] = self._s3.put_object(
                    Bucket=self._bucket, Key=self._prefix + name, Body=body, IfNoneMatch="*"
                )
        except StoreDown as exc:
            if str(exc).rpartition(" ")[2] in _TAKEN:
                raise NeedsPerson(
                    f"{self.location}/{name}: another export wrote it meanwhile: run it again"
                ) from exc
            raise
        return str(done["ETag"])

    @contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except ClientError as exc:
            raise StoreDown(f"{self.location}: {code_of(exc)}") from exc
        except BotoCoreError as exc:
            raise StoreDown(f"{self.location}: {type(exc).__name__}") from exc
