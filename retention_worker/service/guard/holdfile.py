"""The active holds beside an export of the ledger: a restored backup may be older than they are.

One small file for each export, written anew where it has changed: `ledger.jsonl.holds.json`, or
`holds.json` under the prefix. What it names and the database has not was lost, and nothing is
erased until `ledger replay` has placed it again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from retention_worker.domain.errors import ConfigurationError, GuardRefused, NeedsPerson, StoreDown
from retention_worker.domain.instant import stamp
from retention_worker.objects.address import is_shelf
from retention_worker.service.context import Context
from retention_worker.store.connection.pool import Connection
from retention_worker.store.connection.session import Session
from retention_worker.store.own import holds
from retention_worker.store.own.holds import Remembered

if TYPE_CHECKING:
    from retention_worker.objects.export_bucket import ExportBucket

_log = structlog.get_logger()

_FORMAT = 1
_NAME = "holds.json"
# Named in a message; the rest is counted.
_SOME = 3


@dataclass(frozen=True, kw_only=True)
class HoldFile:
    """The file beside an export: a path, or `s3://bucket/prefix`."""

    location: str

    def read(self) -> list[Remembered]:
        """The holds that were active at the last export; none where there was no export yet.

        Raises:
            NeedsPerson: it is not as it was written.
            StoreDown: its bucket cannot be asked.
            ConfigurationError: it cannot be read.
        """
        text = self._text()
        if text is None:
            return []
        try:
            content = json.loads(text)
            if content["format"] != _FORMAT:
                raise ValueError("another format")
            return [_from_json(each) for each in content["holds"]]
        except (ValueError, KeyError, TypeError) as exc:
            raise NeedsPerson(f"{self._name}: it was changed after it was written") from exc

    def write(self, found: Sequence[Remembered]) -> None:
        """Keep these, in the place of those before."""
        content = {"format": _FORMAT, "holds": [_to_json(each) for each in found]}
        text = json.dumps(content, ensure_ascii=False).encode()
        there = self._text()
        if text == there or (there is None and not found):
            return
        if is_shelf(self.location):
            self._shelf.put(_NAME, text)
            return
        try:
            self._replace(Path(self._name), text)
        except OSError as exc:
            raise ConfigurationError(f"{self._name}: cannot be written: {exc.strerror}") from exc

    @staticmethod
    def _replace(target: Path, text: bytes) -> None:
        part = target.with_name(f"{target.name}.part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)

    @property
    def _shelf(self) -> ExportBucket:
        from retention_worker.objects.export_bucket import ExportBucket  # noqa: PLC0415 - slow, and few need it

        return ExportBucket(self.location)

    @property
    def _name(self) -> str:
        if is_shelf(self.location):
            return f"{self.location.rstrip('/')}/{_NAME}"
        return f"{self.location}.{_NAME}"

    def _text(self) -> bytes | None:
        if is_shelf(self.location):
            return self._shelf.get(_NAME)
        try:
            return Path(self._name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise ConfigurationError(f"{self._name}: cannot be read: {exc.strerror}") from exc


def _to_json(hold: Remembered) -> dict[str, Any]:
    return {
        "tenant": hold.tenant_id,
        "account": hold.account_id,
        "reason": hold.reason,
        "placed_by": hold.placed_by,
        "placed_at": stamp(hold.placed_at),
        "until": stamp(hold.until) if hold.until else None,
        "seen": [list(each) for each in hold.seen],
    }


def _from_json(content: dict[str, Any]) -> Remembered:
    return Remembered(
        tenant_id=str(content["tenant"]),
        account_id=str(content["account"]),
        reason=str(content["reason"]),
        placed_by=str(content["placed_by"]),
        placed_at=datetime.fromisoformat(content["placed_at"]),
        until=datetime.fromisoformat(content["until"]) if content["until"] else None,
        seen=tuple((str(kind), str(subject)) for kind, subject in content["seen"]),
    )


def lost(session: Session, location: str, now: datetime) -> list[Remembered]:
    """Holds of the last export that still count and that the database does not have at all."""
    known = HoldFile(location=location).read()
    still = [each for each in known if each.until is None or each.until > now]
    return holds.missing(session, still)


def require_holds(context: Context, conn: Connection) -> None:
    """Refuse to erase where holds were lost with a restored backup.

    Raises:
        GuardRefused: the export names holds that this database does not have.
    """
    location = context.settings.ledger_export
    if location is None:
        return
    try:
        with context.reading(conn) as session:
            found = lost(session, str(location), context.clock())
    except StoreDown as exc:
        # It guards against a restored backup, and a bucket that is away is none.
        _log.warning("holds_not_compared", error=str(exc))
        return
    if found:
        raise GuardRefused(told(found, str(location)))


def told(found: Sequence[Remembered], location: str) -> str:
    """Which holds were lost, and what to do."""
    names = ", ".join(
        f"account {each.account_id} of tenant {each.tenant_id} ({each.placed_at:%Y-%m-%d})"
        for each in found[:_SOME]
    )
    more = f" and {len(found) - _SOME} more" if len(found) > _SOME else ""
    what, verb = ("a hold", "is") if len(found) == 1 else (f"{len(found)} holds", "are")
    return (
        f"{what} of the last export to {location} {verb} not in this database: {names}{more}: an "
        f"older backup was restored? Run `ledger replay {location}`, which places them again"
    )
