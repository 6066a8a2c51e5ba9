"""The ledger's hash chain: the exact text of a batch, and the line of an erasure.

The text is kept as it was hashed and never made again from a column: JSON with sorted keys and no
spaces, times in ISO 8601, UTC, six digits. Each text holds the hash of the one before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from retention_worker.domain.instant import stamp

FORMAT = 1

SWEEP, REPLAY, OBJECTS = "sweep", "replay", "objects"
# Batches that hold the tenant's lease, and are in the chain of their lane.
LANE_SOURCES = frozenset({SWEEP, REPLAY})


def chain_of(body: Mapping[str, Any]) -> str:
    """The name of the chain that a batch belongs to, from its body.

    `<tenant>/<scope>` for what a lane erases, `<tenant>/requests` for everything else (ad-hoc
    erasures, objects). In a chain the numbers of the batches rise: whoever writes one takes the
    lock of the chain's head before the number.
    """
    part = body["scope"] if body["source"] in LANE_SOURCES else "requests"
    return f"{body['tenant']}/{part}"


def hash_of(body: str) -> str:
    """SHA-256 (hex) of a body."""
    return hashlib.sha256(body.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class BatchRecord:
    """What one committed batch says.

    `erasures` is the SHA-256 of the hashes of its erasure rows' lines, a line each, in order of id.
    `completes`, of a batch that says which objects are gone: how many of those whose rows an
    earlier batch erased, by that batch's number. Where it is None the body has no such key.
    """

    batch: int
    sweep: int | None
    request: int | None
    tenant: str
    scope: str
    source: str
    cutoff: datetime | None
    policy_digest: str | None
    map_digest: str
    accounts: int
    counts: Mapping[str, int]
    objects: int
    erased_at: datetime
    erasures: str
    previous: str | None
    completes: Mapping[str, int] | None = None

    def body(self) -> str:
        """The canonical text."""
        content = asdict(self) | {
            "format": FORMAT,
            "cutoff": stamp(self.cutoff) if self.cutoff else None,
            "erased_at": stamp(self.erased_at),
            "counts": dict(self.counts),
        }
        if self.completes is None:
            del content["completes"]
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
