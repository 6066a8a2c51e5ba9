"""Issues receipts from the ledger, and checks them without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.configfiles.policies import load_policies
from retention_worker.domain.errors import ConfigurationError, NeedsPerson, UnknownSubject
from retention_worker.domain.ledger.audit import body_of
from retention_worker.domain.ledger.erasure import Erasure
from retention_worker.domain.ledger.receipt import Proof, Receipt, read
from retention_worker.service.context import Context
from retention_worker.service.ledger.exportfile import whole
from retention_worker.service.ledger.segments import fetched
from retention_worker.service.tenants import tenant_id_of
from retention_worker.store.connection.keys import parse_id
from retention_worker.store.connection.session import Session
from retention_worker.store.ledger import ledger_read
from retention_worker.store.own import objects as outbox


@dataclass(frozen=True, kw_only=True)
class CheckedReceipt:
    """A receipt and what is wrong with it, a line each; `receipt` None where it is none at all.

    `compared`: its batches were held against an export of the ledger. Without that it is consistent
    in itself at best: anybody can make such a text.
    """

    receipt: Receipt | None
    problems: tuple[str, ...]
    compared: bool

    @property
    def proved(self) -> bool:
        """Whether the ledger has what it says."""
        return self.compared and not self.problems

    @property
    def exit_code(self) -> int:
        """0, or 1 where it is not proved."""
        return int(not self.proved)


def issue(context: Context, subject: str, *, tenant: str | None, kind: str) -> Receipt:
    """What proves that an account (or transaction) was erased, without another one's id.

    Args:
        subject: its id, as the ledger has it.
        tenant: required where the data map has a tenant column.
        kind: account or transaction.

    Raises:
        UnknownSubject: the ledger has no erasure of it.
        NeedsPerson: what the ledger has does not prove it: it was changed.
    """
    parse_id(subject, 1)
    tenant_id = _tenant_id(context, tenant)
    with context.reading() as session:
        receipt = of(session, tenant_id, kind, subject)
    if receipt is None:
        raise UnknownSubject(f"the ledger has no erasure of {kind} {subject!r}")
    return receipt


def of(session: Session, tenant_id: str, kind: str, subject: str) -> Receipt | None:
    """The receipt of an account or transaction; None where the ledger has no erasure of it.

    Raises:
        NeedsPerson: what the ledger has does not prove it: it was changed.
    """
    rows = _rows(session, tenant_id, kind, subject)
    if not rows:
        return None
    receipt = Receipt(
        tenant=tenant_id,
        kind=kind,
        subject=rows[0].subject,
        proofs=tuple(_proof(session, row) for row in rows),
    )
    if problems := receipt.wrong():
        raise NeedsPerson(f"the ledger does not prove it: {problems[0]}: run ledger verify")
    return receipt


def _tenant_id(context: Context, tenant: str | None) -> str:
    settings = context.settings
    single = load_datamap(settings.config_dir).datamap.accounts.tenant is None
    return tenant_id_of(load_policies(settings.config_dir, settings.bounds), tenant, single=single)


def _rows(session: Session, tenant: str, kind: str, subject: str) -> list[Erasure]:
    """The rows of the subject; a UUID may be written in capital letters, or without hyphens."""
    if found := ledger_read.of_subject(session, tenant, kind, subject):
        return found
    try:
        return ledger_read.of_subject(session, tenant, kind, str(UUID(subject)))
    except ValueError:
        return []


def _proof(session: Session, row: Erasure) -> Proof:
    found = ledger_read.proof(session, row.batch)
    if found is None:
        raise NeedsPerson(f"batch {row.batch} is not in the ledger: run ledger verify")
    body, hash_, ids, hashes = found
    account = row.subject if row.kind == "account" else None
    return Proof(
        erasure=row,
        body_text=body,
        hash=hash_,
        rows=tuple(hashes),
        place=ids.index(row.id),
        objects=outbox.of_batches(session, row.tenant, [row.batch], account)[row.batch],
        completions=tuple(outbox.completions(session, row.tenant, row.batch, account)),
    )


def check_receipt(path: Path, against: Path | str | None = None) -> CheckedReceipt:
    """Check a receipt without a database.

    Args:
        path: the receipt, as it was issued.
        against: an export of the ledger: its chains must be whole and have the receipt's batches.

    Raises:
        ConfigurationError: a file cannot be read.
        NeedsPerson: the export is not as it was written.
    """
    try:
        receipt = read(path.read_bytes().decode())
    except OSError as exc:
        raise ConfigurationError(f"{path}: cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        return CheckedReceipt(receipt=None, problems=(_said(exc),), compared=False)
    problems = receipt.wrong()
    if against is not None:
        with fetched(against) as export:
            problems += _missing(receipt, export)
    return CheckedReceipt(receipt=receipt, problems=tuple(problems), compared=against is not None)


def _said(exc: ValueError) -> str:
    return "it is no text" if isinstance(exc, UnicodeDecodeError) else str(exc)


def _missing(receipt: Receipt, against: Path) -> list[str]:
    """Batches that an export has not as a receipt says, and erasures that a receipt leaves out."""
    wanted = set(_batches(receipt))
    told = {(proof.erasure.batch, proof.erasure.id) for proof in receipt.proofs}
    subject, newest = (receipt.tenant, receipt.kind, receipt.subject), max(told)[0]
    left_out = set()
    for each in whole(against):
        wanted.discard((each.line.batch, each.line.hash))
        for row in each.line.erasures if each.line.batch <= newest else ():
            if (row.tenant, row.kind, row.subject) == subject:
                left_out |= {(row.batch, row.id)} - told
    return [
        *(f"batch {batch}: {against} has none with this hash" for batch, _ in sorted(wanted)),
        *(f"batch {batch}: the receipt leaves out its erasure" for batch, _ in sorted(left_out)),
    ]


def _batches(receipt: Receipt) -> Iterator[tuple[int, str]]:
    """Every batch that a receipt names, with its hash: those that say what is gone, too."""
    for proof in receipt.proofs:
        yield proof.erasure.batch, proof.hash
        for text, hash_ in proof.completions:
            body = body_of(text)
            yield body["batch"] if body else 0, hash_
