"""The commands `hold place`, `hold release` and `hold list`: legal holds."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from retention_worker.cli.options import Actor, AsJson, Reason, Tenant, Until, actor_of
from retention_worker.cli.output import counted, instant, print_json, say, table
from retention_worker.domain.chain import stamp

__all__ = ["app"]

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
    from retention_worker.cli.context import open_worker
    from retention_worker.service import holds

    with open_worker() as worker:
        placed = holds.place(
            worker, account, tenant=tenant, reason=reason, actor=actor_of(actor), until=until
        )
    if as_json:
        print_json(
            {
                "id": placed.id,
                "tenant_id": placed.tenant_id,
                "account": placed.account,
                "credentials_left": placed.credentials_left,
                "until": stamp(placed.until) if placed.until else None,
            }
        )
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
    from retention_worker.cli.context import open_worker
    from retention_worker.service import holds

    with open_worker() as worker:
        ended = holds.release(worker, account, tenant=tenant, reason=reason, actor=actor_of(actor))
    if as_json:
        print_json({"account": account, "released": ended})
        return
    say(f"{counted(ended, 'hold')} released: the next sweep looks at account {account} again.")


@app.command("list")
def list_(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Show the active holds of a tenant, or of all."""
    from retention_worker.cli.context import open_worker
    from retention_worker.service import holds

    with open_worker() as worker:
        found = holds.listed(worker, tenant)
    if as_json:
        print_json({"holds": [_as_json(hold) for hold in found]})
        return
    if found:
        table(
            ("tenant id", "account", "reason", "placed", "until"),
            (
                (
                    hold.tenant_id,
                    hold.account_id,
                    hold.reason,
                    f"{instant(hold.placed_at)}\nby {hold.placed_by}",
                    instant(hold.until, "released"),
                )
                for hold in found
            ),
        )
    say(f"{counted(len(found), 'active hold')}.")


def _as_json(hold: Any) -> dict[str, Any]:
    return {
        "id": hold.id,
        "tenant_id": hold.tenant_id,
        "account": hold.account_id,
        "reason": hold.reason,
        "placed_by": hold.placed_by,
        "placed_at": stamp(hold.placed_at),
        "until": stamp(hold.until) if hold.until else None,
    }
