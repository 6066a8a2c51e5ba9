"""The commands `policy check`, `show`, `history`, `schema` and `schedule`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retention_worker.cli.commands import schedule
from retention_worker.cli.terminal.context import open_context, read_settings
from retention_worker.cli.terminal.options import AsJson
from retention_worker.cli.terminal.output import counted, instant, print_json, say, table
from retention_worker.domain.policy.policy import Policy

if TYPE_CHECKING:
    from retention_worker.configfiles.policy_file import PolicyFile
    from retention_worker.service.policy.policies import Checked

app = typer.Typer(no_args_is_help=True, help="The tenants' policies: check, show, schedule.")
app.command("schedule")(schedule.schedule)

# Enough to tell two policies apart by eye; JSON has it whole.
_DIGEST_SHOWN = 12


class Which(StrEnum):
    """A file that people edit."""

    POLICY = "policy"
    DATAMAP = "datamap"


@app.command("check")
def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Default: all policies and the data map."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the files; needs no database."""
    from retention_worker.service.policy import policies

    found = policies.check(read_settings(), files or ())
    if as_json:
        print_json(found)
    else:
        _show_checked(found)
    raise typer.Exit(2 if found.problems else 0)


def _show_checked(found: Checked) -> None:
    for problem in found.problems:
        say(str(problem))
    if found.problems:
        wrong = {problem.path for problem in found.problems}
        stopped = "nothing is" if any(map(found.stops_all, wrong)) else "those tenants are not"
        say(
            f"{counted(len(found.problems), 'fault')} in {counted(len(wrong), 'file')}: "
            f"{stopped} swept until that is mended.",
            "bold red",
        )
    else:
        say(f"{counted(found.files, 'file')}: nothing is wrong.", "green")


@app.command("show")
def show(
    tenant: Annotated[str | None, typer.Argument(metavar="[TENANT]", help="Default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the policies that the files say, each with its digest; needs no database."""
    from retention_worker.service.policy import policies

    found = policies.known(read_settings(), tenant)
    if as_json:
        shown = [_policy(file) for file in found.files.values()]
        print_json({"policies": shown, "problems": found.problems})
    else:
        if found.files:
            table(
                ("tenant", "tenant id", "all credentials", "biometrics", "paused", "digest"),
                (_cells(file.policy) for file in found.files.values()),
            )
        for problem in found.problems:
            say(str(problem), "red")
    raise typer.Exit(2 if found.problems else 0)


@app.command("history")
def history(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")], as_json: AsJson = False
) -> None:
    """Show every policy that was applied for a tenant, newest first."""
    from retention_worker.service.policy import policies

    with open_context() as context:
        found = policies.history(context, tenant)
    if as_json:
        print_json({"history": found})
        return
    table(
        ("applied", "all credentials", "biometrics", "paused", "revision", "digest"),
        (
            (
                instant(each.applied_at),
                each.all_credentials or "never",
                each.biometrics or "never",
                "yes" if each.paused else "no",
                each.revision or "–",
                each.digest[:_DIGEST_SHOWN],
            )
            for each in found
        ),
    )


@app.command("schema")
def schema(
    which: Annotated[Which, typer.Argument(help="Of which file.")] = Which.POLICY,
) -> None:
    """Print the JSON Schema of a policy file, or of the data map."""
    from retention_worker.configfiles import schemas

    print_json(schemas.policy_schema() if which is Which.POLICY else schemas.datamap_schema())


def _cells(policy: Policy) -> tuple[str, ...]:
    return (
        policy.tenant,
        policy.tenant_id,
        str(policy.all_credentials or "never"),
        str(policy.biometrics or "never"),
        "yes" if policy.paused else "no",
        policy.digest[:_DIGEST_SHOWN],
    )


def _policy(file: PolicyFile) -> dict[str, Any]:
    policy = file.policy
    return {
        "tenant": policy.tenant,
        "tenant_id": policy.tenant_id,
        "all_credentials": str(policy.all_credentials) if policy.all_credentials else None,
        "biometrics": str(policy.biometrics) if policy.biometrics else None,
        "paused": policy.paused,
        "notes": policy.notes,
        "digest": policy.digest,
        "file": str(file.path),
    }
