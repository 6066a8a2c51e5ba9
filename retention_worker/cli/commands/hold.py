"""The commands `hold place`, `hold release`, `hold move` and `hold list`: legal holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import Actor, AsJson, Reason, Tenant, Until, actor_of
from retention_worker.cli.terminal.output import counted, instant, print_json, say, table
from retention_worker.domain.document import document

if TYPE_CHECKING:
    from retention_worker.service.guard.holds import ListedHold

app = typer.Typer(no_args_is_help=True, help="Legal holds: they win over every erasure.")

Account = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help="Its id; a composite one as a JSON array.")
]


@app.command("place")
def place(  # noqa: PLR0917 - typer's way to declare options
    account: Account,
    reason: Reason,
    tenant: Tenant = None,
    until: Until = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Keep everything of an account until the hold ends."""
    from retention_worker.service.guard import holds

    with open_context() as context:
        placed = holds.place(
            context, account, tenant=tenant, reason=reason, actor=actor_of(actor), until=until
        )
    if as_json:
        print_json(placed)
        return
    say(
        f"Hold {placed.id}: nothing of account {placed.account} is erased until "
        f"{instant(placed.until, 'the hold is released')}."
    )
    if not placed.credentials_left:
        say("No credentials of this account were left to keep.", "yellow")


@app.command("release")
def release(
    account: Account,
    reason: Reason,
    tenant: Tenant = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """End the account's holds; the next sweep looks at it again."""
    from retention_worker.service.guard import holds

    with open_context() as context:
        ended = holds.release(context, account, tenant=tenant, reason=reason, actor=actor_of(actor))
    if as_json:
        print_json({"account": account, "released": ended})
        return
    say(f"{counted(ended, 'hold')} released: the next sweep looks at account {account} again.")


@app.command("move")
def move(  # noqa: PLR0917 - typer's way to declare options
    account: Account,
    to: Annotated[str, typer.Option("--to", metavar="ACCOUNT", help="Who has it by now.")],
    reason: Reason,
    tenant: Tenant = None,
    to_tenant: Annotated[
        str | None,
        typer.Option("--to-tenant", metavar="TENANT", help="Whose account. Default: the same."),
    ] = None,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Let the account's holds go on under another account, such as after a merge."""
    from retention_worker.service.guard import holds

    with open_context() as context:
        moved = holds.move(
            context,
            account,
            to=to,
            tenant=tenant,
            to_tenant=to_tenant,
            reason=reason,
            actor=actor_of(actor),
        )
    if as_json:
        print_json({"holds": moved})
        return
    for each in moved:
        say(
            f"Hold {each.id}: nothing of account {each.account} is erased until "
            f"{instant(each.until, 'the hold is released')}."
        )


@app.command("list")
def list_(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Show the active holds of a tenant, or of all; exit code 1 where an account is not there."""
    from retention_worker.service.guard import holds

    with open_context() as context:
        found = holds.listed(context, tenant)
    astray = sum(each.astray for each in found)
    if as_json:
        print_json({"holds": [_as_json(each) for each in found]})
        raise typer.Exit(int(astray > 0))
    if found:
        table(
            ("hold", "tenant id", "account", "reason", "placed", "until", "account is"),
            (
                (
                    str(each.hold.id),
                    each.hold.tenant_id,
                    each.hold.account_id,
                    each.hold.reason,
                    f"{instant(each.hold.placed_at)}\nby {each.hold.placed_by}",
                    instant(each.hold.until, "its release"),
                    _whereabouts(each),
                )
                for each in found
            ),
        )
    say(f"{counted(len(found), 'active hold')}.")
    if astray:
        say(
            f"{counted(astray, 'hold')} lost what was held: `hold move` or `hold release`.",
            "bold red",
        )
    raise typer.Exit(int(astray > 0))


def _whereabouts(each: ListedHold) -> str:
    lines = ["there"] if each.in_place else ["not there any more"]
    lines += ["rows of tables that the map has no more"] if each.forgotten else []
    lines += [
        f"see account {account}" + (f" of {tenant}" if tenant else "")
        for tenant, account in each.elsewhere
    ]
    return "\n".join(lines)


def _as_json(each: ListedHold) -> dict[str, Any]:
    elsewhere = [{"tenant": tenant, "account": account} for tenant, account in each.elsewhere]
    return {**document(each.hold), "in_place": each.in_place, "elsewhere": elsewhere}
