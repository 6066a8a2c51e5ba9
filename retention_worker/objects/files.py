"""Objects that are files under one folder, which no URI can leave."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from retention_worker.domain.errors import StoreDown
from retention_worker.domain.objects.object import GONE, Result, StoreAnswer
from retention_worker.objects.address import address_of
from retention_worker.objects.object_store import Deleted, StoreInspection

_NAME = "RETENTION_OBJECT_FILES_ROOT"
_ELSEWHERE = StoreAnswer(
    result=Result.LATER, error="no such file, and one whose name is spelled otherwise is there"
)
_STILL_THERE = StoreAnswer(result=Result.LATER, error="it was unlinked, and is there")
# Opens a folder and nothing else: a symbolic link on the way is an error, not a way out.
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class _Refused(Exception):
    """The path is none that may be followed; the text says why."""


class FileStore:
    """Deletes regular files below `root`.

    A path is relative to the root, or absolute and inside it. It is walked folder by folder from
    the root's own descriptor, so that neither `..` nor a symbolic link, not even one that appears
    meanwhile, leads out.
    """

    chunk = 200

    def __init__(self, root: Path | None) -> None:
        self._root = root

    def open(self) -> None:
        """See that the root is there."""
        with self._opened():
            pass

    def delete(self, keys: Sequence[str]) -> Deleted:
        """Unlink each file; its folder is written to disk before it counts as gone."""
        try:
            with self._opened() as root:
                return Deleted(verdicts={key: self._delete(root, key) for key in keys})
        except StoreDown as exc:
            return Deleted(down=str(exc))

    def spellings(self, uri: str) -> set[str]:
        """A path inside the root, absolute or not, and as a URI, quoted or not."""
        address = address_of(uri)
        try:
            parts = self._parts(address.key) if address is not None and self._root else ()
        except _Refused:
            parts = ()
        if not parts or self._root is None:
            return {uri}
        inside = "/".join(parts)
        path = str(self._root.absolute().joinpath(*parts))
        return {uri, inside, path} | {
            f"file://{host}{name}" for host in ("", "localhost") for name in (path, quote(path))
        }

    def there(self, keys: Sequence[str]) -> set[str]:
        """Which files are there, or cannot be shown to be gone."""
        with self._opened() as root:
            try:
                return {key for key in keys if self._is_there(root, key)}
            except OSError as exc:
                raise StoreDown(f"{_NAME}: {exc.strerror}") from exc

    def inspect(self, name: str) -> StoreInspection:
        """Whether the root is there and can be written; files have no versions and no locks."""
        error: str | None = None
        try:
            with self._opened() as root:
                if not os.access(root, os.W_OK | os.X_OK):
                    error = "cannot be written"
        except StoreDown as exc:
            error = str(exc)
        return StoreInspection(
            store=name or "files", error=error, versions="never", object_lock="off"
        )

    @contextmanager
    def _opened(self) -> Iterator[int]:
        if self._root is None:
            raise StoreDown(f"{_NAME} is not set")
        try:
            root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as exc:
            raise StoreDown(f"{_NAME}: {exc.strerror}") from exc
        try:
            with os.scandir(root) as entries:
                is_empty = next(entries, None) is None
            if is_empty:
                # What was to be mounted is not: every file would seem to be gone.
                raise StoreDown(f"{_NAME}: the folder is empty: mount it, or put any file into it")
            yield root
        finally:
            os.close(root)

    def _delete(self, root: int, key: str) -> StoreAnswer:
        try:
            with self._folder(root, key) as (folder, name):
                self._require_plain(folder, name)
                os.unlink(name, dir_fd=folder)
                os.fsync(folder)
            still_there = self._is_there(root, key)
        except FileNotFoundError:
            return _ELSEWHERE if self._is_spelled_otherwise(root, key) else GONE
        except _Refused as exc:
            return StoreAnswer(result=Result.FAILED, error=str(exc))
        except PermissionError:
            return StoreAnswer(result=Result.DENIED, error="permission denied")
        except OSError as exc:
            return StoreAnswer(result=Result.LATER, error=exc.strerror)
        return _STILL_THERE if still_there else GONE

    def _is_there(self, root: int, key: str) -> bool:
        """Only "no such file" means that there is none: a right that is missing says nothing."""
        try:
            with self._folder(root, key) as (folder, name):
                os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except _Refused:
            return True
        return True

    def _is_spelled_otherwise(self, root: int, key: str) -> bool:
        """Whether the file is there by a name that a person would take for the same."""
        others = {unicodedata.normalize("NFC", key), unicodedata.normalize("NFD", key)}
        others |= {quote(key), unquote(key)}
        return any(self._is_there(root, each) for each in others - {key})

    @staticmethod
    def _require_plain(folder: int, name: str) -> None:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            raise _Refused("not a regular file")
        if found.st_nlink > 1:
            # Unlinking one name would leave the bytes under the other.
            raise _Refused("the file has another name (a hard link)")

    @contextmanager
    def _folder(self, root: int, key: str) -> Iterator[tuple[int, str]]:
        """The descriptor of the folder that holds the file, and the file's name in it."""
        parts = self._parts(key)
        at = os.dup(root)
        try:
            for part in parts[:-1]:
                below = _step(at, part)
                os.close(at)
                at = below
            yield at, parts[-1]
        finally:
            os.close(at)

    def _parts(self, key: str) -> tuple[str, ...]:
        assert self._root is not None
        if "\x00" in key:
            raise _Refused("no path")
        path = PurePosixPath(key)
        if path.is_absolute():
            try:
                path = path.relative_to(PurePosixPath(self._root.absolute()))
            except ValueError:
                raise _Refused("the path leads out of the root") from None
        # PurePosixPath drops `.` and doubled slashes, and keeps `..`.
        if not path.parts or ".." in path.parts:
            raise _Refused("the path leads out of the root")
        return path.parts


def _step(folder: int, name: str) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except NotADirectoryError:
        # Linux says so of a link, too, where O_DIRECTORY is asked for.
        raise _Refused("a part of the path is a symbolic link or no folder") from None
