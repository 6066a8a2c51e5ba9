"""An export to object storage: each run adds one segment, and together they are the file.

`000000000000.jsonl` is the first, named by the number of its first line; `resume.json` beside them
spares reading all of them again, and is not believed where it does not fit.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from retention_worker.domain.errors import NeedsPerson
from retention_worker.domain.ledger.audit import Head
from retention_worker.objects.address import is_shelf
from retention_worker.objects.export_bucket import ExportBucket
from retention_worker.service.ledger.exportfile import lines
from retention_worker.service.ledger.resume import Resume, UnsettledNumbers

_STATE = "resume.json"
_SEGMENT = re.compile(r"\d{12}\.jsonl")
_FORMAT = 1


@contextmanager
def fetched(location: Path | str) -> Iterator[Path]:
    """The path of an export; one in object storage is read into a file of its own.

    Raises:
        StoreDown: its store cannot be asked.
        NeedsPerson: a segment is missing.
    """
    if not is_shelf(str(location)):
        yield Path(location)
        return
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        path = Path(folder) / "ledger.jsonl"
        Segments(str(location)).read(path)
        yield path


@dataclass
class Segments:
    """The segments below one address."""

    location: str

    def __post_init__(self) -> None:
        self._shelf = ExportBucket(self.location)

    def read(self, path: Path) -> None:
        """Put all segments together."""
        with path.open("wb") as file:
            for name, _ in self._listed():
                self._shelf.read(name, file)

    def resume(self, folder: Path) -> Resume:
        """How far the segments go; `end` counts within the next one, which has nothing yet."""
        listed = self._listed()
        found = self._remembered(listed)
        if found is None:
            found = self._walked(listed, folder)
        return found

    def add(self, path: Path, first_line: int) -> tuple[str, str]:
        """Add a segment; its name and ETag."""
        name = f"{first_line:012d}.jsonl"
        with path.open("rb") as file:
            return name, self._shelf.add(name, file)

    def save(self, resume: Resume, last: tuple[str, str] | None) -> None:
        """Keep how far it goes; `last` is the newest segment, None: as it was."""
        listed = self._listed()
        newest = last or (listed[-1] if listed else None)
        pending = resume.pending
        content = {
            "format": _FORMAT,
            "last": list(newest) if newest else None,
            "lines": resume.lines,
            "heads": {chain: [head.batch, head.hash] for chain, head in resume.heads.items()},
            "settled": resume.settled,
            "pending": [pending.given, pending.transaction] if pending else None,
        }
        self._shelf.put(_STATE, json.dumps(content).encode())

    def _listed(self) -> list[tuple[str, str]]:
        return [each for each in self._shelf.names() if _SEGMENT.fullmatch(each[0])]

    def _remembered(self, listed: list[tuple[str, str]]) -> Resume | None:
        text = self._shelf.get(_STATE)
        try:
            content = json.loads(text or b"")
            last = list(listed[-1]) if listed else None
            if content["format"] != _FORMAT or content["last"] != last:
                return None
            pending = content["pending"]
            return Resume(
                lines=content["lines"],
                heads={
                    chain: Head(batch=batch, hash=hash_)
                    for chain, (batch, hash_) in content["heads"].items()
                },
                settled=content["settled"],
                pending=UnsettledNumbers(given=pending[0], transaction=pending[1])
                if pending
                else None,
            )
        except (ValueError, KeyError, TypeError):
            return None

    def _walked(self, listed: list[tuple[str, str]], folder: Path) -> Resume:
        """Read everything again, and see that it is whole."""
        if not listed:
            return Resume()
        path = folder / "all.jsonl"
        self.read(path)
        found = Resume(lines=1)
        for each in lines(path):
            head = found.heads.get(each.line.chain)
            if each.line.body["previous"] != (head.hash if head else None):
                raise NeedsPerson(
                    f"{self.location}: batch {each.line.batch} is not the next one of its chain: "
                    "a segment is missing, or was changed"
                )
            found.add(each.line.chain, each.line.batch, each.line.hash, start=0, end=0)
        path.unlink()
        return found
