"""The commands `erase account` and `erase transaction`: one person's credentials, now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import Actor, AsJson, Reason, Tenant, actor_of
from retention_worker.cli.terminal.output import counted, instant, interactive, print_json, say
from retention_worker.domain.errors import ConfigurationError
from retention_worker.domain.scope import Scope

if TYPE_CHECKING:
    from retention_worker.service.request.request import DoneRequest

app = typer.Typer(no_args_is_help=True, help="Erase one account or transaction now.")

BiometricsOnly = Annotated[
    bool,
    typer.Option("--biometrics-only", help="Vectors and templates; images and the rest stay."),
]
InProgress = Annotated[
    bool,
    typer.Option("--in-progress", help="Also what has not ended, by the data map's state."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("account")
def account(  # noqa: PLR0917 - typer's way to declare options
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="Its id; a composite one as a JSON array.")
    ],
    reason: Reason,
    tenant: Tenant = None,
    biometrics_only: BiometricsOnly = False,
    yes: Yes = False,
    in_progress: InProgress = False,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Erase the credentials of an account and of all its transactions."""
    _erase("account", account, tenant, biometrics_only, yes, in_progress, reason, actor, as_json)


@app.command("transaction")
def transaction(  # noqa: PLR0917 - typer's way to declare options
    transaction: Annotated[
        str, typer.Argument(metavar="TRANSACTION", help="Its id; a composite one as JSON array.")
    ],
    reason: Reason,
    tenant: Tenant = None,
    biometrics_only: BiometricsOnly = False,
    yes: Yes = False,
    in_progress: InProgress = False,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Erase the credentials of one transaction; its metadata and decision stay."""
    _erase(
        "transaction",
        transaction,
        tenant,
        biometrics_only,
        yes,
        in_progress,
        reason,
        actor,
        as_json,
    )


def _erase(  # noqa: PLR0913, PLR0917 - the two commands' options
    kind: str,
    subject: str,
    tenant: str | None,
    biometrics_only: bool,
    yes: bool,
    in_progress: bool,
    reason: str,
    actor: str | None,
    as_json: bool,
) -> None:
    from retention_worker.service.request.erase import RequestedErasure, erase

    what = "the biometrics" if biometrics_only else "all credentials"
    if not yes:
        _confirm(f"{what} of {kind} {subject}", subject)
    with open_context() as context:
        done = erase(
            context,
            RequestedErasure(
                kind=kind,
                subject=subject,
                tenant=tenant,
                scope=Scope.BIOMETRICS if biometrics_only else Scope.ALL,
                source="cli",
                actor=actor_of(actor),
                reason=reason,
                in_progress=in_progress,
            ),
        )
    if as_json:
        print_json(done)
    else:
        _tell(done, what)


def _confirm(what: str, subject: str) -> None:
    if not interactive():
        raise ConfigurationError("there is no terminal to ask on: write --yes")
    say(f"This erases {what}. It cannot be undone.", "bold red")
    typed = typer.prompt(f"To go on, type the id ({subject})", err=True)
    if typed.strip() != subject:
        raise ConfigurationError("that is another id: nothing was erased")


def _tell(done: DoneRequest, what: str) -> None:
    subject = f"{done.kind} {done.subject}"
    if done.again:
        say(f"Erased already, at {instant(done.finished_at)}: nothing of {subject} has come since.")
        return
    for name, rows in done.rows.items():
        say(f"  {name}: {counted(rows, 'row')}")
    say(f"Erased {what} of {subject}, request {done.request}.")
    if done.objects_queued:
        queued = counted(done.objects_queued, "object")
        say(f"{queued} queued, not deleted: `run` or `sweep` deletes them.", "yellow")
