"""What a batch goes by, where its candidates come from, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.shown import ShownAccounts
from retention_worker.domain.ledger.chain import SWEEP
from retention_worker.domain.scope import Scope
from retention_worker.store.connection.keys import Key
from retention_worker.store.connection.session import Session
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.own.deferred import Deferred


@dataclass(frozen=True, kw_only=True)
class LaneRules:
    """What holds for all batches of a lane in one sweep.

    `cutoff` is the latest activity that is due; `now` the sweep's start; `approval` what the
    accounts are counted against, `shown` which accounts it is for, and where there is none `spends`
    says whether the lane's allowance is: the guard may be turned off. `held` are accounts that have
    something a hold has seen, and until when, as the sweep has found them. `source` goes into the
    ledger: a `replay` belongs to no sweep, and names the policy under which it was erased before,
    whichever is applied now.
    """

    sweep: int | None
    tenant_id: str
    scope: Scope
    cutoff: datetime
    now: datetime
    policy_digest: str
    map_digest: str
    approval: int | None = None
    shown: ShownAccounts | None = None
    spends: bool = False
    held: Mapping[str, str] = field(default_factory=dict)
    source: str = SWEEP


@dataclass(frozen=True, kw_only=True)
class CandidatesFrom:
    """Where candidates come from: after the watermark, deferred, or given keys behind it."""

    name: str
    keys: tuple[Key, ...] = ()

    FRONTIER = "frontier"
    DEFERRED = "deferred"
    BEHIND = "behind"


@dataclass(frozen=True, kw_only=True)
class BatchTask:
    """What one batch has to do.

    Args:
        session: a READ COMMITTED transaction with a deadline, which the caller commits.
        compiled: the data map.
        rules: of the lane.
        source: of the candidates.
        limit: accounts at the most.
        max_units: transactions at the most; an account with more goes in parts.
        permit: how many accounts may still be erased; beyond it the lane ends.
        prove: look once more at what was erased.
        at: the time of the batch, for the ledger.
        object_grace: how long nobody touches an object that rows share.
        troubled: accounts that could not be erased even alone, and why.
        parts: how many rows a part of a large account may have, by account, where that is less
            than `max_units`.
    """

    session: Session
    compiled: CompiledMap
    rules: LaneRules
    source: CandidatesFrom
    limit: int
    max_units: int
    permit: int
    prove: bool
    at: datetime
    object_grace: timedelta
    troubled: Mapping[str, Deferred] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class BatchOutcome:
    """What a committed batch did.

    `processed` counts the candidates that need no further look in this sweep, in their order;
    `stop` where the lane must end, `more` where candidates remain, `partial` where a part of a
    large account was erased. `wait`: nothing was done, all streams are running or pausing, and so
    many seconds are left of the shortest pause.
    """

    candidates: int = 0
    processed: int = 0
    accounts: int = 0
    rows: int = 0
    more: bool = False
    partial: bool = False
    stop: StopReason | None = None
    reason: str | None = None
    wait: float | None = None
