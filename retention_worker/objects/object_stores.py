"""The stores that a process has asked so far, by the name under which the outbox groups them."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from retention_worker.objects.address import StoreKind, kind_of
from retention_worker.objects.files import FileStore
from retention_worker.objects.object_store import ObjectStore
from retention_worker.objects.throttle import Throttle


class ObjectStores:
    """Opens stores, each once.

    Args:
        timeout: seconds that one request may take.
        connections: to one store, at once.
        files_root: the folder of objects that are files.
        throttle: what all of them keep to together.
    """

    def __init__(
        self, *, timeout: int, connections: int, files_root: Path | None, throttle: Throttle
    ) -> None:
        self._timeout = timeout
        self._connections = connections
        self._files_root = files_root
        self._throttle = throttle
        self._open: dict[str, ObjectStore] = {}

    def get(self, name: str) -> ObjectStore | None:
        """The store of a name such as `s3://bucket`; None where there is none of that kind."""
        known = kind_of(name)
        if known is None:
            return None
        if name not in self._open:
            self._open[name] = self._opened(*known)
        return self._open[name]

    def _opened(self, kind: StoreKind, place: str) -> ObjectStore:
        match kind:
            case StoreKind.FILES:
                return FileStore(self._files_root)
            case StoreKind.S3:
                # Its SDK takes a third of a second to load, and not everybody has objects in S3.
                from retention_worker.objects.s3 import Bucket  # noqa: PLC0415

                return Bucket(
                    place,
                    timeout=self._timeout,
                    connections=self._connections,
                    throttle=self._throttle,
                )
            case _:
                assert_never(kind)
