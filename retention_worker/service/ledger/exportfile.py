"""Reads an export, line by line; a last line that a killed run left unfinished does not count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from retention_worker.domain.errors import ConfigurationError, NeedsPerson
from retention_worker.domain.ledger.audit import Audit
from retention_worker.domain.ledger.export import HEADER, ExportLine, read_line
from retention_worker.domain.ledger.finding import Change, LedgerFinding


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """A line with its number in the file, and where it begins and ends (bytes)."""

    number: int
    start: int
    end: int
    line: ExportLine


def lines(path: Path) -> Iterator[Numbered]:
    """All whole lines after the header.

    Raises:
        ConfigurationError: there is no such file, or it is no export.
        NeedsPerson: a line is none: it was changed.
    """
    try:
        with path.open("rb") as file:
            if file.readline() != HEADER.encode():
                raise ConfigurationError(f"{path}: no export of a ledger of this format")
            yield from read_from(file, path, number=2)
    except OSError as exc:
        raise ConfigurationError(f"{path}: cannot be read: {exc.strerror}") from exc


def read_from(file: BinaryIO, path: Path, number: int) -> Iterator[Numbered]:
    """The whole lines from where the file stands; `number` is the first one's."""
    start = file.tell()
    for text in file:
        if not text.endswith(b"\n"):
            return
        try:
            line = read_line(text.decode())
        except ValueError as exc:
            raise NeedsPerson(
                f"{path}:{number}: no line of an export: it was changed after it was written"
            ) from exc
        yield Numbered(number=number, start=start, end=start + len(text), line=line)
        start += len(text)
        number += 1


def audited(path: Path, found: list[LedgerFinding]) -> Iterator[Numbered]:
    """All lines, and what is wrong with the file by itself is put into `found` on the way."""
    audit = Audit(table=f"{path.name}, batch")
    try:
        for each in lines(path):
            found += audit.batch(each.line.row())
            yield each
    except NeedsPerson as exc:
        found.append(
            LedgerFinding(change=Change.CHANGED, table=path.name, row=None, message=str(exc))
        )
    found += audit.finish({})


def whole(path: Path) -> Iterator[Numbered]:
    """All lines of a file that is whole.

    Raises:
        NeedsPerson: something in it is not as it was written.
    """
    found: list[LedgerFinding] = []
    for each in audited(path, found):
        if found:
            break
        yield each
    if found:
        raise NeedsPerson(f"{path}: the export is not as it was written: {found[0]}")
