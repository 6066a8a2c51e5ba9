"""The commands `client create`, `list`, `rotate`, `revoke`: programs that may use the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import Actor, AsJson, Tenant, actor_of
from retention_worker.cli.terminal.output import counted, instant, print_json, say, table
from retention_worker.domain.access.permission import Permission

if TYPE_CHECKING:
    from retention_worker.service.access.clients import Secret

app = typer.Typer(no_args_is_help=True, help="Clients of the HTTP API, each for one tenant.")

ClientId = Annotated[
    str, typer.Argument(metavar="CLIENT_ID", help="As `client list` shows it.", show_default=False)
]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    tenant: Annotated[
        str, typer.Option("--tenant", metavar="TENANT", help="Whose accounts it may see.")
    ],
    scope: Annotated[list[Permission], typer.Option("--scope", help="May be repeated.")],
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Make a client; its secret is shown this once."""
    from retention_worker.service.access import clients

    with open_context() as context:
        made = clients.create(
            context, name, tenant=tenant, permissions=set(scope), actor=actor_of(actor)
        )
    _show_secret(made, as_json)


@app.command("list")
def list_(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Show the clients of a tenant, or of all; revoked ones too."""
    from retention_worker.service.access import clients

    with open_context() as context:
        found = clients.listed(context, tenant)
    if as_json:
        print_json({"clients": found})
        return
    if found:
        table(
            ("tenant id", "name", "client id", "scopes", "created", "state"),
            (
                (
                    each.tenant_id,
                    each.name,
                    each.client_id,
                    " ".join(sorted(each.permissions)),
                    f"{instant(each.created_at)}\nby {each.created_by}",
                    f"revoked {instant(each.revoked_at)}" if each.revoked_at else "counts",
                )
                for each in found
            ),
        )
    say(f"{counted(len(found), 'client')}.")


@app.command("rotate")
def rotate(client_id: ClientId, actor: Actor = None, as_json: AsJson = False) -> None:
    """Give a client another secret; the old one and all its tokens end at once."""
    from retention_worker.service.access import clients

    with open_context() as context:
        rotated = clients.rotate(context, client_id, actor=actor_of(actor))
    _show_secret(rotated, as_json)


@app.command("revoke")
def revoke(client_id: ClientId, actor: Actor = None, as_json: AsJson = False) -> None:
    """Let a client and all its tokens count no more, at once."""
    from retention_worker.service.access import clients

    with open_context() as context:
        gone = clients.revoke(context, client_id, actor=actor_of(actor))
    if as_json:
        print_json({"client_id": gone.client_id, "revoked": True})
        return
    say(f"Client {gone.name} is revoked, and its tokens with it.")


def _show_secret(found: Secret, as_json: bool) -> None:
    client = found.client
    if as_json:
        print_json(
            {
                "client_id": client.client_id,
                "client_secret": found.secret,
                "tenant_id": client.tenant_id,
                "name": client.name,
                "scopes": sorted(client.permissions),
            }
        )
        return
    say(f"client_id      {client.client_id}")
    say(f"client_secret  {found.secret}")
    say("The secret is shown this once and kept nowhere: put it where secrets are kept.", "yellow")
