"""Where an export goes on: the end of each chain in the file, kept beside it in a small file.

The small file spares reading the whole export again after each sweep. It is never believed against
the export: what it says of the export's size and last line must be so, or all is read again.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from retention_worker.domain.errors import ConfigurationError, NeedsPerson
from retention_worker.domain.ledger.audit import Head
from retention_worker.domain.ledger.export import HEADER
from retention_worker.service.ledger.exportfile import read_from

_FORMAT = 1
_KEYS = {"format", "end", "last_start", "last_digest", "lines", "heads", "settled", "pending"}


@dataclass(frozen=True, kw_only=True)
class UnsettledNumbers:
    """Numbers up to `given` may still be committed until all transactions before this one end."""

    given: int
    transaction: int


@dataclass(kw_only=True)
class Resume:
    """How far the file goes.

    `end`: its size in bytes; `lines`: how many, the header included; `settled`: every batch up to
    that number is in the file, or never will be there.
    """

    end: int = 0
    last_start: int = 0
    lines: int = 0
    heads: dict[str, Head] = field(default_factory=dict)
    settled: int = 0
    pending: UnsettledNumbers | None = None

    def add(self, chain: str, batch: int, hash_: str, *, start: int, end: int) -> None:
        """A line was written, or read."""
        self.heads[chain] = Head(batch=batch, hash=hash_)
        self.last_start, self.end = start, end
        self.lines += 1


def prepared(file: BinaryIO, path: Path) -> Resume:
    """Bring the file to its last whole line, and say where it stands.

    Raises:
        ConfigurationError: the file is something else.
        NeedsPerson: a line of it was changed, or does not follow from the one before.
    """
    found = _remembered(file, path) or _begin(file, path)
    file.seek(found.end)
    for each in read_from(file, path, number=found.lines + 1):
        line = each.line
        head = found.heads.get(line.chain)
        if line.body["previous"] != (head.hash if head else None):
            raise NeedsPerson(f"{path}:{each.number}: batch {line.batch} is not the next one")
        found.add(line.chain, line.batch, line.hash, start=each.start, end=each.end)
    file.seek(found.end)
    file.truncate()  # what a killed run left of a line
    return found


def _begin(file: BinaryIO, path: Path) -> Resume:
    """Read the header; write it where there is none yet."""
    header = HEADER.encode()
    file.seek(0)
    there = file.read(len(header))
    if there != header:
        if not header.startswith(there):
            raise ConfigurationError(
                f"{path}: no export of a ledger of this format: name another file"
            )
        file.seek(0)
        file.truncate()
        file.write(header)
    return Resume(end=len(header), lines=1)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.state")


def save(file: BinaryIO, path: Path, resume: Resume) -> None:
    """Keep it for the next run; the file itself is on disk before."""
    content: dict[str, Any] = {
        "format": _FORMAT,
        "end": resume.end,
        "last_start": resume.last_start,
        "last_digest": _digest(file, resume.last_start, resume.end),
        "lines": resume.lines,
        "heads": {chain: [head.batch, head.hash] for chain, head in resume.heads.items()},
        "settled": resume.settled,
        "pending": [resume.pending.given, resume.pending.transaction] if resume.pending else None,
    }
    target = _beside(path)
    part = target.with_name(f"{target.name}.part")
    part.write_text(json.dumps(content), encoding="utf-8")
    part.chmod(0o600)
    part.replace(target)


def _remembered(file: BinaryIO, path: Path) -> Resume | None:
    """What was kept, where it fits the file."""
    try:
        content = json.loads(_beside(path).read_text("utf-8"))
        if content.keys() != _KEYS or content["format"] != _FORMAT:
            return None
        size = file.seek(0, os.SEEK_END)
        if content["end"] > size or content["last_digest"] != _digest(
            file, content["last_start"], content["end"]
        ):
            return None
        pending = content["pending"]
        return Resume(
            end=content["end"],
            last_start=content["last_start"],
            lines=content["lines"],
            heads={
                chain: Head(batch=batch, hash=hash_)
                for chain, (batch, hash_) in content["heads"].items()
            },
            settled=content["settled"],
            pending=UnsettledNumbers(given=pending[0], transaction=pending[1]) if pending else None,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _digest(file: BinaryIO, start: int, end: int) -> str:
    file.seek(start)
    return hashlib.sha256(file.read(end - start)).hexdigest()
