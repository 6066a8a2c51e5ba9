"""The sweeps' rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from retention_worker.store.connection.session import Session


def begin(session: Session, now: datetime, version: str, host: str) -> int:
    """Note that a sweep begins; its number comes back."""
    return int(session.value("sweeps.begin", {"now": now, "version": version, "host": host}))


def end(session: Session, sweep: int, now: datetime, totals: Mapping[str, int]) -> None:
    """Note that it ended, and what it erased."""
    session.run("sweeps.end", {"sweep": sweep, "now": now, "totals": json.dumps(dict(totals))})
