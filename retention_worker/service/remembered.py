"""What a process that answers requests remembers between them: files, compiled map, schema check.

A command reads everything anew. A request may see files as they were some seconds ago, because
reading ten thousand policies and compiling the map would take longer than the request itself. No
erasure goes by what is remembered: it prepares as a sweep does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeGuard, TypeVar

from retention_worker.clock import Monotonic
from retention_worker.configfiles.datamap import load_datamap
from retention_worker.configfiles.policies import PolicySet, load_policies
from retention_worker.domain.errors import RetentionWorkerError
from retention_worker.settings import WorkerSettings
from retention_worker.store.connection.pool import Connection
from retention_worker.store.mapsql import CompiledMap, compile_map
from retention_worker.store.migrations import check

# So old may be what a request goes by: a person who edits a file does not notice.
_FRESH_SECONDS = 5.0
# The catalog has no cheap sign that it changed, and changes seldom.
_CATALOG_SECONDS = 60.0

Fingerprint = tuple[tuple[str, int, int, int], ...]


T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The files and the map, compiled for the database.

    `written`: tenants as the policies write them, by how they were asked for, as far as known.
    """

    policies: PolicySet
    compiled: CompiledMap
    written: dict[str, str] = field(default_factory=dict)

    @property
    def single(self) -> bool:
        """Whether the database has one tenant and no column for it."""
        return self.compiled.datamap.accounts.tenant is None


@dataclass(frozen=True, kw_only=True)
class _Made:
    """What was loaded, of which files, and when (monotonic seconds)."""

    loaded: Loaded
    fingerprint: Fingerprint
    at: float


def read(settings: WorkerSettings, conn: Connection) -> Loaded:
    """Read the files, look at the schema, compile the map.

    Raises:
        ConfigurationError: a file, the schema or what the map says of the catalog is wrong.
    """
    datamap = load_datamap(settings.config_dir).datamap
    policies = load_policies(settings.config_dir, settings.bounds)
    check(conn, settings.schema_name)
    return Loaded(policies=policies, compiled=compile_map(conn, datamap, settings.schema_name))


class _Kept(Generic[T]):
    """A value that one thread makes anew while the others go on with the old one."""

    def __init__(self, monotonic: Monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._found: tuple[T, float] | None = None

    def get(self, make: Callable[[T | None], T]) -> T:
        """The value; `make` gets the old one, and what it raises leaves none."""
        found = self._found
        if self._is_fresh(found):
            return found[0]
        if not self._lock.acquire(blocking=found is None):
            assert found is not None
            return found[0]
        try:
            found = self._found
            if not self._is_fresh(found):  # else somebody made it while this thread waited
                self._found = None
                found = self._found = (make(found[0] if found else None), self._monotonic())
            return found[0]
        finally:
            self._lock.release()

    def _is_fresh(self, found: tuple[T, float] | None) -> TypeGuard[tuple[T, float]]:
        return found is not None and self._monotonic() - found[1] < _FRESH_SECONDS


class Memory:
    """Remembers what `read` gave, and why no sweep would start, for a few seconds."""

    def __init__(self, settings: WorkerSettings, monotonic: Monotonic) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._loaded: _Kept[_Made] = _Kept(monotonic)
        self._schema: _Kept[bool] = _Kept(monotonic)
        self._refusal: _Kept[str | None] = _Kept(monotonic)

    def loaded(self, conn: Connection) -> Loaded:
        """The files and the compiled map, at most some seconds old.

        Raises:
            ConfigurationError: as `read`; nothing older is given in its place.
        """

        def make(old: _Made | None) -> _Made:
            found, now = _fingerprint(self._settings.config_dir), self._monotonic()
            if old and old.fingerprint == found and now - old.at < _CATALOG_SECONDS:
                return old
            return _Made(loaded=read(self._settings, conn), fingerprint=found, at=now)

        return self._loaded.get(make).loaded

    def check(self, conn: Connection) -> None:
        """Look at the worker's own schema, at most once in some seconds.

        Raises:
            SchemaError: it is not the one that this version knows.
        """

        def make(_: bool | None) -> bool:
            check(conn, self._settings.schema_name)
            return True

        self._schema.get(make)

    def refusal(self, start: Callable[[], None]) -> str | None:
        """Why no sweep would start, in one line, as it was found some seconds ago at the most."""
        return self._refusal.get(lambda _: refusal_of(start))


def refusal_of(find: Callable[[], None]) -> str | None:
    """What an attempt is refused with, in one line; None where it is not."""
    try:
        find()
    except RetentionWorkerError as exc:
        return str(exc).splitlines()[0]
    return None


def _fingerprint(config_dir: Path) -> Fingerprint:
    """Changes with any change of a file, the swap of a mounted ConfigMap included.

    What the file system says costs a hundredth of reading ten thousand files.
    """
    folder = config_dir / "tenants"
    try:
        paths = [config_dir / "datamap.yaml", folder, *sorted(folder.iterdir())]
        states = [(path, path.stat()) for path in paths]
    except OSError:
        return ()
    return tuple(
        (path.name, state.st_ino, state.st_size, state.st_ctime_ns) for path, state in states
    )
