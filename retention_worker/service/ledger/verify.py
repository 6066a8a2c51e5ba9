"""Checks the ledger: every column of every row, every hash and every chain, in one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from retention_worker.configfiles.policies import load_policies
from retention_worker.domain.errors import UnknownSubject
from retention_worker.domain.ledger.audit import Audit, Head
from retention_worker.domain.ledger.erasure import Erasure
from retention_worker.domain.ledger.export import ExportLine
from retention_worker.domain.ledger.finding import Change, LedgerFinding
from retention_worker.service.context import Context
from retention_worker.service.ledger.exportfile import audited
from retention_worker.service.ledger.segments import fetched
from retention_worker.service.tenants import tenant_id_of
from retention_worker.store.connection.session import Session
from retention_worker.store.ledger import ledger_read
from retention_worker.store.migrations import check

Progress = Callable[[int, int], None]
"""Told on the way: how far it is, of how much; the unit is the work's own."""

# Whoever changed so many rows has shown what there is to see.
_MOST = 100
# Lines of an export that are looked up at once.
_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was looked at, and the first findings in order of their batch; `more` there were."""

    batches: int
    rows: int
    heads: dict[str, Head]
    exported: int | None
    findings: tuple[LedgerFinding, ...]
    more: bool

    @property
    def exit_code(self) -> int:
        """0, or 1 where the ledger is not as it was written."""
        return int(bool(self.findings))


def verify(
    context: Context,
    *,
    tenant: str | None = None,
    against: Path | str | None = None,
    progress: Progress | None = None,
) -> Verified:
    """Check the ledger of a tenant, or of all.

    Args:
        tenant: the name of a policy file, or the value in the tenant column.
        against: an export: what it has must be in the ledger, or the ledger's end was cut off.
        progress: told on the way.

    Raises:
        UnknownSubject: nobody knows the tenant.
    """
    tenant_id, has_file = _tenant_id(context, tenant)
    exported = fetched(against) if against is not None else nullcontext()
    with exported as path, context.pool.connection() as conn:
        check(conn, context.settings.schema_name)
        with context.reading(conn) as session:
            found = _Verification(session, tenant_id, progress).run(path)
    if not (has_file or found.heads or found.exported or found.findings):
        raise UnknownSubject(
            f"nothing is known of a tenant {tenant!r}: it has no policy file, and nothing of it is "
            "in the ledger"
        )
    return found


def _tenant_id(context: Context, tenant: str | None) -> tuple[str | None, bool]:
    """The tenant column's value, and whether a file speaks of it; of all there is no question."""
    if tenant is None:
        return None, True
    policies = load_policies(context.settings.config_dir, context.settings.bounds)
    tenant_id = tenant_id_of(policies, tenant, single=False)
    named = {file.policy.tenant_id for file in policies.files.values()}
    return tenant_id, tenant_id in named or tenant in policies.broken


@dataclass
class _Verification:
    session: Session
    tenant: str | None
    progress: Progress | None
    findings: list[LedgerFinding] = field(default_factory=list)
    exported: int | None = None

    def run(self, against: Path | None) -> Verified:
        audit = Audit(where=ledger_read.Lookup(self.session))
        self._take(self._ledger(audit))
        if against is not None:
            self.exported = 0
            self._take(self._against(against))
        found = sorted(self.findings, key=lambda each: each.batch or 0)
        return Verified(
            batches=audit.batches,
            rows=audit.rows,
            heads=audit.heads,
            exported=self.exported,
            findings=tuple(found[:_MOST]),
            more=len(found) > _MOST,
        )

    def _take(self, found: Iterator[LedgerFinding]) -> None:
        for finding in found:
            if len(self.findings) > _MOST:
                return
            if finding not in self.findings:
                self.findings.append(finding)

    def _ledger(self, audit: Audit) -> Iterator[LedgerFinding]:
        total = ledger_read.last(self.session)
        for batch, rows in ledger_read.walk(self.session, tenant=self.tenant):
            if batch is None:
                yield from map(audit.orphan, rows)
                continue
            yield from audit.batch(batch)
            if self.progress is not None:
                self.progress(batch.id, total)
        heads = ledger_read.heads(self.session, self.tenant)
        for chain in audit.heads:
            heads.setdefault(chain, Head(batch=None, hash=None))
        yield from audit.finish(heads)

    def _against(self, path: Path) -> Iterator[LedgerFinding]:
        """Compare with an export; what only it can tell is told: which row is gone."""
        assert self.exported is not None
        doubted = {each.batch for each in self.findings if each.table == "erasure"}
        own: list[LedgerFinding] = []
        page: list[ExportLine] = []
        for each in audited(path, own):
            if self.tenant is not None and each.line.body["tenant"] != self.tenant:
                continue
            self.exported += 1
            page.append(each.line)
            if len(page) == _PAGE:
                yield from self._compare(page, doubted)
                page = []
        yield from self._compare(page, doubted)
        yield from own

    def _compare(
        self, page: Sequence[ExportLine], doubted: Iterable[int | None]
    ) -> Iterator[LedgerFinding]:
        there = ledger_read.hashes(self.session, [line.batch for line in page])
        for line in page:
            found = there.get(line.batch)
            if found is None:
                message = f"it was exported, with the hash {line.hash}"
                yield _batch(Change.REMOVED, line.batch, message)
            elif found != line.hash:
                message = f"it was exported with the hash {line.hash}"
                yield _batch(Change.CHANGED, line.batch, message, "hash")
            if line.batch in doubted or found is None:
                rows = ledger_read.rows_of(self.session, line.batch)
                yield from _rows(line, {row.erasure.id: row.erasure for row in rows})


def _rows(line: ExportLine, there: dict[int, Erasure]) -> Iterator[LedgerFinding]:
    """Which erasure rows of a batch differ from those that were exported."""
    for row in line.erasures:
        now = there.pop(row.id, None)
        if now is None:
            yield _erasure(Change.REMOVED, row, "it was exported with its batch")
            continue
        for was, is_ in zip_longest(row.to_json().items(), now.to_json().items()):
            if was != is_:
                column = _COLUMNS.get(was[0], was[0])
                message = f"was {was[1]!r} when it was exported"
                yield _erasure(Change.CHANGED, row, message, column)
    for row in there.values():
        yield _erasure(Change.ADDED, row, "its batch was exported without it")


_COLUMNS = {"batch": "batch_id", "tenant": "tenant_id", "subject": "subject_id"}


def _batch(change: Change, row: int, message: str, column: str | None = None) -> LedgerFinding:
    return LedgerFinding(
        change=change, table="batch", row=row, batch=row, message=message, column=column
    )


def _erasure(
    change: Change, row: Erasure, message: str, column: str | None = None
) -> LedgerFinding:
    return LedgerFinding(
        change=change,
        table="erasure",
        row=row.id,
        batch=row.batch,
        message=message,
        column=column,
    )
