"""The commands `ledger export`, `verify`, `receipt` and `replay`: what was done, and its proof."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import Actor, AsJson, OptionalReason, Tenant, actor_of
from retention_worker.cli.terminal.output import count, counted, instant, print_json, say, table
from retention_worker.cli.terminal.progress import ledger_bar
from retention_worker.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from retention_worker.domain.ledger.receipt import Receipt
    from retention_worker.service.ledger import CheckedReceipt, Verified
    from retention_worker.service.replay.outcome import Replay

app = typer.Typer(
    no_args_is_help=True, help="The ledger: export it, check it, prove an erasure, erase again."
)

# A table is for reading; JSON has them all.
_MOST_SHOWN = 50


Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="EXPORT",
        help="What it has must be there: only so a ledger whose end was cut off shows.",
    ),
]
ReceiptFile = Annotated[
    Path | None,
    typer.Option("--receipt", metavar="FILE", help="Check a receipt; needs no database."),
]
OneTenant = Annotated[str | None, typer.Option("--tenant", metavar="TENANT", help="Default: all.")]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="PLACE",
        help="A file, or s3://bucket/prefix. Default: RETENTION_LEDGER_EXPORT.",
    ),
]


@app.command("export")
def export(to: To = None, as_json: AsJson = False) -> None:
    """Append what is new to a file of JSON Lines; keep it where the database's admins cannot write.

    FILE.state beside it remembers how far it goes; without it the file is read again. Below
    s3://bucket/prefix each run adds a segment; put together in order they are the file.
    """
    from retention_worker.service import ledger

    with open_context() as context, ledger_bar("exporting") as progress:
        path = to or context.settings.ledger_export
        if path is None:
            raise ConfigurationError("name the place: --to PLACE, or set RETENTION_LEDGER_EXPORT")
        done = ledger.export(context, path, progress=progress)
    if as_json:
        print_json(done)
        return
    say(
        f"{_batches(done.appended)} appended to {done.path}, which has "
        f"{_batches(done.batches)} of {counted(done.chains, 'chain')} now."
    )


@app.command("verify")
def verify(
    against: Against = None,
    receipt: ReceiptFile = None,
    tenant: OneTenant = None,
    as_json: AsJson = False,
) -> None:
    """Compute every hash again and follow every chain; say which rows were changed.

    Exit 0: all is as it was written. Exit 1: it is not.
    """
    if receipt is not None:
        if tenant is not None:
            raise ConfigurationError("--tenant and --receipt: a receipt is checked as a whole")
        _verify_receipt(receipt, against, as_json)
        return
    from retention_worker.service import ledger

    with open_context() as context, ledger_bar("checking") as progress:
        found = ledger.verify(context, tenant=tenant, against=against, progress=progress)
    if as_json:
        print_json(_verified(found))
    else:
        _show_verified(found, against)
    raise typer.Exit(found.exit_code)


def _verified(found: Verified) -> dict[str, Any]:
    return {
        "whole": not found.findings,
        "batches": found.batches,
        "erasures": found.rows,
        "exported": found.exported,
        "chains": [
            {"chain": chain, "batch": head.batch, "hash": head.hash}
            for chain, head in sorted(found.heads.items())
        ],
        "findings": found.findings,
        "more_findings": found.more,
    }


def _show_verified(found: Verified, against: str | None) -> None:
    for each in found.findings:
        say(str(each), "red")
    said = (
        f"{_batches(found.batches)} and {counted(found.rows, 'erasure row')} in "
        f"{counted(len(found.heads), 'chain')}"
    )
    if against is not None:
        said += f", against {_batches(found.exported or 0)} of {against}"
    if not found.findings:
        say(f"{said}: nothing was changed, removed, added or reordered.", "green")
        if against is None:
            say("Whether its end was cut off shows against an export: --against FILE.")
        return
    more = " or more" if found.more else ""
    first = found.findings[0]
    say(
        f"{said}: the ledger is not as it was written: {len(found.findings)}{more} findings, the "
        f"first at batch {first.batch}.",
        "bold red",
    )


def _verify_receipt(path: Path, against: str | None, as_json: bool) -> None:
    from retention_worker.service import ledger

    found = ledger.check_receipt(path, against)
    if as_json:
        print_json(_checked(found))
    else:
        _show_checked(found)
    raise typer.Exit(found.exit_code)


def _checked(found: CheckedReceipt) -> dict[str, Any]:
    receipt = found.receipt
    return {
        "proved": found.proved,
        "consistent": not found.problems,
        "problems": list(found.problems),
        "kind": receipt.kind if receipt else None,
        "id": receipt.subject if receipt else None,
        "tenant_id": receipt.tenant if receipt else None,
        "erasures": len(receipt.proofs) if receipt else 0,
    }


def _show_checked(found: CheckedReceipt) -> None:
    for problem in found.problems:
        say(problem, "red")
    if found.problems or found.receipt is None:
        say("The receipt proves nothing.", "bold red")
        return
    _show_receipt(found.receipt)
    if found.proved:
        say("Proved: the ledger's export has every batch of the receipt as it says.", "green")
    else:
        say("Consistent in itself, and unproven: anybody can make such a text.", "yellow")
        say("Hold it against an export of the ledger that was kept elsewhere: --against FILE.")
    _show_left(found.receipt)


def _show_left(receipt: Receipt) -> None:
    """What the receipt proves is no complete erasure, or no hash covers."""
    if receipt.only_parts:
        say("The erasure had not come to its end when this was issued: only parts.", "yellow")
    if receipt.objects_not_deleted:
        say(
            "The erasure was not complete when this was issued: "
            f"{counted(receipt.objects_not_deleted, 'object')} still to be deleted.",
            "yellow",
        )
    elif receipt.objects:
        say("How many objects there were is the issuer's word: no hash covers it.")


def _show_receipt(receipt: Receipt) -> None:
    table(
        ("erased", "scope", "last activity", "batch", "hash", "objects"),
        (
            (
                proof.erasure.erased_at + ("" if proof.erasure.complete else "\na part"),
                proof.erasure.scope,
                proof.erasure.last_activity or "–",
                str(proof.erasure.batch),
                proof.hash[:16],
                proof.objects.in_words() if proof.objects.total else "–",
            )
            for proof in receipt.proofs
        ),
        title=f"{receipt.kind} {receipt.subject} of tenant {receipt.tenant}",
        numbers=("batch",),
    )


@app.command("receipt")
def receipt(
    subject: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="Its id; a composite one as a JSON array.")
    ],
    tenant: Tenant = None,
    transaction: Annotated[
        bool, typer.Option("--transaction", help="It is the id of a transaction.")
    ] = False,
) -> None:
    """Print what proves that an account was erased: JSON, and no id of anybody else in it.

    Give the text away as it is: ledger verify --receipt refuses a copy in which a byte differs.
    """
    from retention_worker.domain.ledger.receipt import text_of
    from retention_worker.service import ledger

    with open_context() as context:
        kind = "transaction" if transaction else "account"
        issued = ledger.issue(context, subject, tenant=tenant, kind=kind)
    sys.stdout.write(text_of(issued))


@app.command("replay")
def replay(  # noqa: PLR0917 - typer's way to declare options
    file: Annotated[
        str, typer.Argument(metavar="EXPORT", help="From before the restore: a file or s3://…")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Erase; --reason is required.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing. That is the default.")
    ] = False,
    reason: OptionalReason = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """After a restore and before traffic: erase again what the export says was erased.

    Only what is no more active than it was then; the rest is listed. Exit 1: something is kept.
    """
    from retention_worker.service.replay.outcome import Authority
    from retention_worker.service.replay.replay import replay

    if yes and dry_run:
        raise ConfigurationError("--yes and --dry-run: write one of them")
    if yes and reason is None:
        raise ConfigurationError("write --reason TEXT with --yes")
    authority = Authority(actor=actor_of(actor), reason=reason or "") if yes else None
    with open_context() as context:
        found = replay(context, file, authority=authority)
    if as_json:
        print_json(found)
    else:
        _show_replay(found)
    raise typer.Exit(found.exit_code)


def _show_replay(found: Replay) -> None:
    if found.accounts:
        table(
            ("tenant id", "scope", "would be erased" if found.dry_run else "erased"),
            (
                (tenant, scope, count(number))
                for (tenant, scope), number in sorted(found.accounts.items())
            ),
            numbers=("would be erased", "erased"),
        )
    if found.holds:
        table(
            ("tenant id", "hold of", "placed", "by", "would be" if found.dry_run else "was"),
            (
                (
                    each.tenant_id,
                    each.account_id,
                    instant(each.placed_at),
                    each.placed_by,
                    "placed again",
                )
                for each in found.holds
            ),
        )
    if found.kept:
        table(
            ("tenant id", "kind", "id", "scope", "kept, because"),
            (
                (each.tenant, each.kind, each.subject, each.scope, each.reason)
                for each in found.kept[:_MOST_SHOWN]
            ),
        )
        if len(found.kept) > _MOST_SHOWN:
            say(f"… and {count(len(found.kept) - _MOST_SHOWN)} more: --json lists them.")
    say(
        f"{_batches(found.lost)} of the export are not in this ledger, {found.known} are; "
        f"of {counted(found.gone, 'erasure')} nothing is left to erase."
    )
    if found.dry_run and (found.accounts or found.holds):
        say("Nothing was changed: that was a dry run. To do it: --yes --reason TEXT.", "yellow")


def _batches(number: int) -> str:
    """In words: the plural of batch is batches."""
    return f"{count(number)} batch{'' if number == 1 else 'es'}"
