"""What a replay did, or would do: how much of which lane, what stays and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from retention_worker.domain.instant import stamp
from retention_worker.domain.ledger.erasure import Erasure
from retention_worker.domain.scope import Scope
from retention_worker.store.own.holds import Remembered

_Key = tuple[str, str, str, str]
_PART = "only a part of it was erased: look at it, and erase the rest by hand"


@dataclass(frozen=True, kw_only=True)
class Authority:
    """Who says that it is to be erased again, and why."""

    actor: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Kept:
    """An account or transaction that is not erased again, and why."""

    tenant: str
    kind: str
    subject: str
    scope: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class EarlierLane:
    """Under which policy, and up to which activity, a lane's accounts were erased before."""

    policy_digest: str
    cutoff: datetime


@dataclass(kw_only=True)
class Replay:
    """The outcome.

    `holds`: those that the backup did not have; they are placed again before anything goes, and
    what they hold is kept. `accounts`: how many of each tenant and scope were erased (in a dry
    run: would be), ad-hoc ones and transactions included. `gone`: erasures of which nothing is left
    to erase. `known`, `lost`: batches of the export that the ledger has, and that it has not. Where
    a subject was erased several times, the newest erasure decides whether it is kept.
    """

    dry_run: bool = True
    known: int = 0
    lost: int = 0
    gone: int = 0
    holds: list[Remembered] = field(default_factory=list)
    accounts: dict[tuple[str, Scope], int] = field(default_factory=dict)
    shown: dict[tuple[str, Scope], EarlierLane] = field(default_factory=dict)
    _kept: dict[_Key, Kept] = field(default_factory=dict)
    _going: set[_Key] = field(default_factory=set)

    @property
    def total(self) -> int:
        """How many in all."""
        return sum(self.accounts.values())

    @property
    def kept(self) -> list[Kept]:
        """What stays, and why."""
        return list(self._kept.values())

    @property
    def exit_code(self) -> int:
        """0, or 1 where a person should look: something is kept, or a hold is to be placed."""
        return int(bool(self._kept) or (self.dry_run and bool(self.holds)))

    def is_held(self, row: Erasure) -> bool:
        """Whether a hold that the backup did not have keeps the subject."""
        return any(
            (hold.tenant_id == row.tenant and hold.account_id == row.subject)
            or (row.kind, row.subject) in hold.seen
            for hold in self.holds
        )

    def is_going(self, row: Erasure) -> bool:
        """Whether the subject goes already, with this scope."""
        return _key(row) in self._going

    def go(self, row: Erasure) -> None:
        """Note a subject that goes; also where an older erasure alone would have kept it."""
        self._going.add(_key(row))
        self._kept.pop(_key(row), None)

    def add(self, tenant: str, scope: Scope, number: int, shown: EarlierLane | None = None) -> None:
        """Count accounts of a lane that went, or would."""
        if not number:
            return
        self.accounts[tenant, scope] = self.accounts.get((tenant, scope), 0) + number
        if shown is not None:
            before = self.shown.get((tenant, scope))
            if before is None or before.cutoff < shown.cutoff:
                self.shown[tenant, scope] = shown

    def keep(self, row: Erasure, reason: str) -> None:
        """Note a subject that stays, and why."""
        self._kept[_key(row)] = Kept(
            tenant=row.tenant,
            kind=row.kind,
            subject=row.subject,
            scope=row.scope,
            reason=reason,
        )

    def is_part(self, row: Erasure) -> bool:
        """Whether only a part was erased: kept, until a line comes in which the whole was."""
        if not row.complete:
            self.keep(row, _PART)
            return True
        kept = self._kept.get(_key(row))
        if kept is not None and kept.reason == _PART:
            del self._kept[_key(row)]
        return False

    def to_json(self) -> dict[str, Any]:
        """The outcome as `ledger replay --json` prints it."""
        return {
            "dry_run": self.dry_run,
            "batches_known": self.known,
            "batches_lost": self.lost,
            "nothing_left": self.gone,
            "erased" if not self.dry_run else "would_erase": [
                {"tenant_id": tenant, "scope": scope, "accounts": number}
                for (tenant, scope), number in sorted(self.accounts.items())
            ],
            "holds_placed" if not self.dry_run else "would_place_holds": [
                {
                    "tenant_id": each.tenant_id,
                    "account": each.account_id,
                    "placed_at": stamp(each.placed_at),
                    "placed_by": each.placed_by,
                    "until": stamp(each.until) if each.until else None,
                }
                for each in self.holds
            ],
            "kept": [vars(each) for each in self.kept],
        }


def _key(row: Erasure) -> _Key:
    return row.tenant, row.kind, row.subject, row.scope
