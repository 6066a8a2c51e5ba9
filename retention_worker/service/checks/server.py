"""The server and the settings: can a batch work here at all."""

from __future__ import annotations

from collections.abc import Iterator

from retention_worker.service.checks.examined import Examined
from retention_worker.service.checks.finding import Finding, refuse

DISTRIBUTED = (
    "is distributed by Citus, where a batch is committed on its nodes one after the other, so that "
    "a crash between two loses the ledger of what is gone: use a database of its own per shard"
)
# A batch that waits ends at its deadline; the application's deadlock check must come later.
_BATCHES_PER_DEADLOCK_TIMEOUT = 2


def server(case: Examined) -> Iterator[Finding]:
    """A standby; a deadlock check that comes before a batch gives way; tenants not told apart."""
    facts, settings = case.facts.server, case.settings
    if facts.standby:
        yield refuse("standby", "database", "is a standby: write the primary's address")
    for name in case.facts.distributed:
        yield refuse("distributed", name, DISTRIBUTED)
    wanted = _BATCHES_PER_DEADLOCK_TIMEOUT * settings.batch_deadline_ms
    if facts.deadlock_timeout_ms < wanted:
        yield refuse(
            "deadlock-timeout",
            "deadlock_timeout",
            f"is {facts.deadlock_timeout_ms} ms, less than twice RETENTION_BATCH_DEADLINE_MS "
            f"({settings.batch_deadline_ms}), so that the application could lose a deadlock: raise "
            "the one or lower the other",
            f"ALTER SYSTEM SET deadlock_timeout = '{max(wanted, 1000)}ms';\n"
            "SELECT pg_reload_conf();",
        )
    if case.datamap.accounts.tenant is None and (case.policies or 0) > 1:
        yield refuse(
            "tenant",
            "accounts.tenant",
            f"is left out, but there are {case.policies} policy files, and nothing tells their "
            "accounts apart: write the tenant column, or keep one file",
        )
