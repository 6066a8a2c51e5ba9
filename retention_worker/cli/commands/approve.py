"""The command `approve`: a person lets waiting lanes go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.lanes import plan_table
from retention_worker.cli.terminal.options import Actor, AsJson, OptionalReason, actor_of, length
from retention_worker.cli.terminal.output import (
    console,
    counted,
    instant,
    interactive,
    print_json,
    say,
)
from retention_worker.domain.errors import ConfigurationError
from retention_worker.domain.lane.report import LanePlan
from retention_worker.domain.scope import Scope

if TYPE_CHECKING:
    from retention_worker.service.context import Context
    from retention_worker.service.plan.approve import NotedApproval


def approve(  # noqa: PLR0913, PLR0917 - typer's way to declare options
    tenant: Annotated[str | None, typer.Argument(metavar="TENANT")] = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="All that waits in a saved `plan --json`."),
    ] = None,
    scope: Annotated[Scope | None, typer.Option("--scope", help="Default: all that wait.")] = None,
    at_most: Annotated[
        int | None,
        typer.Option(
            "--at-most", min=1, metavar="N", help="Refuse where more accounts of a lane are due."
        ),
    ] = None,
    lasts: Annotated[
        timedelta,
        typer.Option("--for", metavar="LENGTH", parser=length, help="How long it counts."),
    ] = "7d",  # type: ignore[assignment]  # read by the parser
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; --reason is required.")] = False,
    reason: OptionalReason = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Let waiting lanes go: of a tenant as they are due now, or of a saved plan as it says."""
    from retention_worker.service.plan import approve as service

    if (tenant is None) == (plan is None):
        raise ConfigurationError("write a tenant, or --plan FILE")
    if not interactive() and not (yes and reason):
        raise ConfigurationError("there is no terminal to ask on: write --yes and --reason TEXT")
    if yes and not reason:
        raise ConfigurationError("write --reason TEXT with --yes")
    with open_context() as context:
        shown = _shown(context, tenant, plan, scope)
        if not yes:
            _confirm(shown, tenant or f"{len(shown)} lanes")
        found = service.approve(
            context,
            shown,
            reason=reason or _ask_reason(),
            actor=actor_of(actor),
            lasts=lasts,
            at_most=at_most,
        )
    if as_json:
        print_json({"approvals": found})
    else:
        _show(found)


def _show(found: Sequence[NotedApproval]) -> None:
    for each in found:
        say(
            f"Approved {each.tenant} · {each.scope}: {counted(each.at_most, 'account')} last "
            f"active up to {instant(each.cutoff)}. The next sweeps erase them; the approval "
            f"counts until {instant(each.expires_at)}."
        )


def _shown(
    context: Context, tenant: str | None, plan: Path | None, scope: Scope | None
) -> Sequence[LanePlan]:
    from retention_worker.service.plan import approve as service

    if plan is not None:
        lanes: Sequence[LanePlan] = service.read_plan(context, plan)
        lanes = [lane for lane in lanes if scope in {None, lane.scope}]
        if not lanes:
            raise ConfigurationError(f"{plan}: nothing in this plan waits for an approval")
        return lanes
    assert tenant is not None
    lanes = service.waiting(context, tenant, scope).lanes
    if not lanes:
        raise ConfigurationError(f"nothing of tenant {tenant!r} waits for an approval")
    return lanes


def _confirm(shown: Sequence[LanePlan], tenant: str) -> None:
    """Show what would go, and let the person type the tenant's name."""
    out = console(stderr=True)
    plan_table(shown, out)
    out.print("What is erased cannot be brought back.", style="bold red")
    typed = typer.prompt(f"To approve, type {tenant!r}", err=True)
    if typed.strip() != tenant:
        raise ConfigurationError("that is something else: nothing was approved")


def _ask_reason() -> str:
    reason: str = typer.prompt("Why, for the record", err=True)
    if not reason.strip():
        raise ConfigurationError("the reason is empty: nothing was approved")
    return reason.strip()
