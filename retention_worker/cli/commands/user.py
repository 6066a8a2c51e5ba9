"""The commands `user create`, `list`, `disable`, `password`: people who may use the portal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import Actor, AsJson, Tenant, actor_of
from retention_worker.cli.terminal.output import (
    counted,
    instant,
    interactive,
    print_json,
    say,
    table,
)
from retention_worker.domain.access.role import Role
from retention_worker.domain.errors import ConfigurationError

if TYPE_CHECKING:
    pass

app = typer.Typer(no_args_is_help=True, help="People who may use the portal, each for one tenant.")

# A line longer than any password that is accepted.
_MOST_READ = 1024

Name = Annotated[str, typer.Argument(metavar="NAME", help="What they sign in with.")]
FromStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input, one line."),
]


@app.command("create")
def create(  # noqa: PLR0917 - typer's way to declare options
    name: Name,
    tenant: Annotated[
        str, typer.Option("--tenant", metavar="TENANT", help="Whose accounts they may see.")
    ],
    role: Annotated[Role, typer.Option("--role", help="What they may do.")],
    from_stdin: FromStdin = False,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Make a user; asks for the password on a terminal."""
    from retention_worker.service.access import users

    password = _password(from_stdin)
    with open_context() as context:
        made = users.create(
            context, name, tenant=tenant, role=role, password=password, actor=actor_of(actor)
        )
    if as_json:
        print_json(made)
        return
    say(f"User {made.name} may sign in to the portal of {made.tenant_id} as {made.role}.")


@app.command("list")
def list_(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Show the users of a tenant, or of all; disabled ones too."""
    from retention_worker.service.access import users

    with open_context() as context:
        found = users.listed(context, tenant)
    if as_json:
        print_json({"users": found})
        return
    if found:
        table(
            ("tenant id", "name", "role", "created", "state"),
            (
                (
                    each.tenant_id,
                    each.name,
                    each.role,
                    f"{instant(each.created_at)}\nby {each.created_by}",
                    f"disabled {instant(each.disabled_at)}" if each.disabled_at else "counts",
                )
                for each in found
            ),
        )
    say(f"{counted(len(found), 'user')}.")


@app.command("disable")
def disable(name: Name, actor: Actor = None, as_json: AsJson = False) -> None:
    """Let a user sign in no more; their sessions end at once."""
    from retention_worker.service.access import users

    with open_context() as context:
        gone = users.disable(context, name, actor=actor_of(actor))
    if as_json:
        print_json(gone)
        return
    say(f"User {gone.name} is disabled, and signed out everywhere.")


@app.command("password")
def password(name: Name, from_stdin: FromStdin = False, actor: Actor = None) -> None:
    """Give a user another password; their sessions end at once."""
    from retention_worker.service.access import users

    chosen = _password(from_stdin)
    with open_context() as context:
        users.set_password(context, name, chosen, actor=actor_of(actor))
    say(f"User {name} has another password, and is signed out everywhere.")


def _password(from_stdin: bool) -> str:
    """Never an argument: those stand in the list of processes and in the shell's history."""
    if from_stdin:
        return sys.stdin.readline(_MOST_READ).rstrip("\r\n")
    if not interactive():
        raise ConfigurationError("no terminal to ask for the password: write --password-stdin")
    chosen = typer.prompt("Password", hide_input=True, err=True)
    if typer.prompt("Again", hide_input=True, err=True) != chosen:
        raise ConfigurationError("the two passwords differ: nothing was changed")
    return str(chosen)
