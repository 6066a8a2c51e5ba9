"""Exports the ledger after a sweep, where a file is set; a failure never loses the sweep."""

from __future__ import annotations

import structlog

from retention_worker.domain.errors import RetentionWorkerError
from retention_worker.service.context import Context
from retention_worker.service.ledger.exporting import export

_log = structlog.get_logger()


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
