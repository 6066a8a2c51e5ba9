"""Reads the bytes of one file that a person edits: bounded, regular, UTF-8."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

from retention_worker.domain.errors import FileProblem, FileProblemsError

__all__ = [
    "MAX_BYTES",
    "FileText",
    "content_hash",
    "place_of",
    "read",
    "refused",
    "remedy",
    "shown",
]

# A thousand times a usual policy: who needs more has put the wrong file here, and a parser in pure
# Python must not be fed it.
MAX_BYTES = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class FileText:
    """A file's text without a byte order mark, and the SHA-256 (hex) of its bytes."""

    text: str
    content_hash: str


def shown(path: Path) -> str:
    """The path as it was given; what cannot be printed is escaped, so that a line stays a line."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))


def read(path: Path) -> FileText:
    """The text of a file.

    Raises:
        FileProblemsError: it is missing, unreadable, no regular file, over 256 KB, or not UTF-8.
    """
    try:
        content = _bounded(path)
    except OSError as exc:
        raise refused(path, 1, 1, f"cannot be read ({exc.strerror}): {remedy(exc)}") from exc
    except ValueError as exc:
        raise refused(path, 1, 1, str(exc)) from exc
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as exc:
        line, column = place_of(content[: exc.start].decode("utf-8"))
        raise refused(path, line, column, "is not UTF-8: save the file as UTF-8") from exc
    return FileText(
        text=text.removeprefix("\ufeff"), content_hash=hashlib.sha256(content).hexdigest()
    )


def content_hash(path: Path) -> str | None:
    """SHA-256 (hex) of the file's bytes now; None where it is missing or cannot be read.

    Follows symbolic links at each call, so that the swap of a mounted ConfigMap is seen.
    """
    try:
        return hashlib.sha256(_bounded(path)).hexdigest()
    except (OSError, ValueError):
        return None


def _bounded(path: Path) -> bytes:
    """The bytes; looks at kind and size first, because opening a pipe would wait for ever."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("is not a regular file: put a YAML file here")
    content = b""
    if status.st_size <= MAX_BYTES:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)  # it may have grown since
    if max(status.st_size, len(content)) > MAX_BYTES:
        raise ValueError(f"is over {MAX_BYTES // 1024} KB: shorten it")
    return content


def remedy(error: OSError) -> str:
    """What to do about a file or folder that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return "create it, or mend the path"
    if isinstance(error, PermissionError):
        return "let the worker's user read it"
    return "mend the path or the volume"


def place_of(before: str) -> tuple[int, int]:
    """Line and column, both from 1, of what comes after that text."""
    lines = before.split("\n")
    return len(lines), len(lines[-1]) + 1


def refused(path: Path, line: int, column: int, message: str, key: str = "") -> FileProblemsError:
    """The error of one problem at one place."""
    return FileProblemsError([FileProblem(shown(path), line, column, key, message)])
