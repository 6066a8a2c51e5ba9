"""Appends what is new in the ledger to an export; a killed run is gone on with.

An export is a file, or a prefix of a bucket to which each run adds a segment.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import structlog

from retention_worker.domain.errors import ConfigurationError, NeedsPerson, RetentionWorkerError
from retention_worker.domain.ledger.audit import BatchRow, body_of
from retention_worker.domain.ledger.chain import chain_of, hash_of
from retention_worker.domain.ledger.export import HEADER, line_of
from retention_worker.objects.address import is_shelf
from retention_worker.service.context import Context
from retention_worker.service.guard.holdfile import HoldFile, lost, told
from retention_worker.service.ledger.resume import Resume, UnsettledNumbers, prepared, save
from retention_worker.service.ledger.segments import Segments
from retention_worker.service.ledger.verify import Progress
from retention_worker.store.connection.pool import Connection
from retention_worker.store.connection.session import Session
from retention_worker.store.ledger import ledger_read
from retention_worker.store.own import holds

_log = structlog.get_logger()

# Heads that are looked up at once.
_PAGE = 10_000


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What a run appended, and what the file has now."""

    path: str
    appended: int
    batches: int
    chains: int


def export(context: Context, location: Path | str, *, progress: Progress | None = None) -> Exported:
    """Append every batch that the export has not, in the order of each chain; durable at the end.

    Args:
        location: a path, or `s3://bucket/prefix`.
        progress: told after each batch.

    Raises:
        ConfigurationError: the file is something else, cannot be written, or another process is
            writing it.
        NeedsPerson: the file is not this ledger's, or was changed; or the ledger itself was.
        StoreDown: the bucket cannot be written.
    """
    if is_shelf(str(location)):
        done = _to_segments(context, str(location), progress)
    else:
        done = _to_file(context, Path(location), progress)
    _with_holds(context, str(location))
    return done


def export_after_sweep(context: Context) -> str | None:
    """Append what is new to `RETENTION_LEDGER_EXPORT`; what went wrong comes back, or None."""
    location = context.settings.ledger_export
    if location is None:
        return None
    try:
        done = export(context, location)
    except RetentionWorkerError as exc:
        _log.warning("ledger_not_exported", error=str(exc))
        return str(exc)
    _log.info("ledger_exported", batches=done.appended)
    return None


def _with_holds(context: Context, location: str) -> None:
    """The active holds beside it; those that were there and are lost are not forgotten."""
    now = context.clock()
    with context.reading() as session:
        gone, active = lost(session, location, now), holds.remembered(session, now)
    if gone:
        raise NeedsPerson(told(gone, location))
    HoldFile(location=location).write(active)


def _to_segments(context: Context, location: str, progress: Progress | None) -> Exported:
    segments = Segments(location)
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        resume = segments.resume(Path(folder))
        before = resume.lines
        path = Path(folder) / "segment.jsonl"
        with path.open("w+b") as file, context.pool.connection() as conn:
            if not before:
                file.write(HEADER.encode())
                resume.lines = 1
            context.check_schema(conn)
            _append(context, conn, file, location, resume, progress)
        added = None
        if resume.lines > before:
            added = segments.add(path, before)
        segments.save(resume, added)
    return Exported(
        path=location,
        appended=resume.lines - max(before, 1),
        batches=resume.lines - 1,
        chains=len(resume.heads),
    )


def _to_file(context: Context, path: Path, progress: Progress | None) -> Exported:
    try:
        with _locked(path) as file:
            resume = prepared(file, path)
            before = resume.lines
            with context.pool.connection() as conn:
                context.check_schema(conn)
                _append(context, conn, file, path, resume, progress)
            save(file, path, resume)
            return Exported(
                path=str(path),
                appended=resume.lines - before,
                batches=resume.lines - 1,
                chains=len(resume.heads),
            )
    except OSError as exc:
        raise ConfigurationError(f"{path}: cannot be written: {exc.strerror}") from exc


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The file, made where it is missing, readable by its owner alone, and by no other writer."""
    made = not path.exists()
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise ConfigurationError(f"{path}: another export is writing it") from exc
        yield file
    if made:  # its name must survive a crash as well
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _append(  # noqa: PLR0917
    context: Context,
    conn: Connection,
    file: BinaryIO,
    path: Path | str,
    resume: Resume,
    progress: Progress | None,
) -> None:
    with context.reading(conn) as session:  # a snapshot of its own: before the one that is exported
        given = ledger_read.given(session)
    try:
        with context.reading(conn) as session:
            _require_same(session, path, resume)
            oldest, newest = ledger_read.under_way(session)
            for row in _new(session, resume, progress):
                _write(session, file, path, resume, row)
            _settle(resume, UnsettledNumbers(given=given, transaction=newest), oldest)
    finally:  # what was read is right whatever came after it
        file.flush()
        os.fsync(file.fileno())


def _require_same(session: Session, path: Path | str, resume: Resume) -> None:
    """Every chain of the file must be in this ledger up to where the file has it."""
    ends = {head.batch: (chain, head.hash) for chain, head in resume.heads.items() if head.batch}
    numbers = sorted(ends)
    for start in range(0, len(numbers), _PAGE):
        page = numbers[start : start + _PAGE]
        there = ledger_read.hashes(session, page)
        for number in page:
            chain, hash_ = ends[number]
            if there.get(number) != hash_:
                raise NeedsPerson(
                    f"{path}: batch {number} of {chain} is not in this database's ledger: the "
                    "file is another ledger's, or a part of the ledger is gone: run ledger verify "
                    "--against it; after a restore, ledger replay it and export to a new file"
                )


def _new(session: Session, resume: Resume, progress: Progress | None) -> Iterator[BatchRow]:
    total = ledger_read.last(session)
    for row, _ in ledger_read.walk(session, after=resume.settled):
        if row is None:
            continue
        if progress is not None:
            progress(row.id, total)
        yield row


def _write(
    session: Session, file: BinaryIO, path: Path | str, resume: Resume, row: BatchRow
) -> None:
    body = body_of(row.body)
    if body is None or hash_of(row.body) != row.hash or body["batch"] != row.id:
        raise NeedsPerson(f"{path}: batch {row.id} was changed: run ledger verify")
    chain = chain_of(body)
    head = resume.heads.get(chain)
    if head is not None and head.batch is not None and row.id <= head.batch:
        return
    if body["previous"] != (head.hash if head else None):
        raise NeedsPerson(f"{path}: the chain is broken at batch {row.id}: run ledger verify")
    text = line_of(row, chain, ledger_read.transactions(session, row.id)).encode()
    file.write(text)
    resume.add(chain, row.id, row.hash, start=resume.end, end=resume.end + len(text))


def _settle(resume: Resume, now: UnsettledNumbers, oldest: int) -> None:
    """Up to which number nothing new can come.

    A number is given to a transaction that has locked something already, and so has a number of
    its own: once all those before `UnsettledNumbers.transaction` have ended, everything up to
    `UnsettledNumbers.given` was seen, or never will be.
    """
    for each in (resume.pending, now):
        if each is not None and each.transaction <= oldest:
            resume.settled = max(resume.settled, each.given)
    if resume.pending is None or resume.pending.transaction <= oldest:
        resume.pending = now
