"""Reads the bytes of one file that a person edits: bounded, regular, UTF-8."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

from retention_worker.domain.errors import FileProblem, FileProblemsError

# A thousand times a usual policy: who needs more has put the wrong file here, and a parser in pure
# Python must not be fed it.
MAX_BYTES = 256 * 1024
# Some lines of a terminal: longer than any message of ours with a reasonable name in it.
MAX_SHOWN = 500


@dataclass(frozen=True, kw_only=True)
class FileText:
    """A file's text without a byte order mark, and the SHA-256 (hex) of its bytes."""

    text: str
    content_hash: str


def problem(path: Path, line: int, column: int, message: str, key: str = "") -> FileProblem:
    """A fault in the file; its path stays as it was given, and what is quoted of it is one line.

    Line and column count from 1.
    """
    return FileProblem(_one_line(str(path)), line, column, _one_line(key), _one_line(message))


def _one_line(text: str) -> str:
    """The text with what cannot be printed escaped, and cut where it floods a terminal."""
    cut = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "\u2026"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in cut)


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
    return FileProblemsError([problem(path, line, column, message, key)])
