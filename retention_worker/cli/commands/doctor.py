"""The command `doctor`: does the data map fit this database, and is it safe to erase by it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import AsJson
from retention_worker.cli.terminal.output import counted, print_json, say, table

if TYPE_CHECKING:
    from retention_worker.objects.object_store import StoreInspection
    from retention_worker.service.doctor.doctor import Diagnosis

_WORDS = {
    "refuse": ("refused", "red"),
    "wrong": ("wrong", "red"),
    "warn": ("warning", "yellow"),
    "note": ("note", ""),
}


def doctor(
    sql: Annotated[
        bool,
        typer.Option("--sql", help="Print the SQL that mends it, and the grants of the role."),
    ] = False,
    role: Annotated[
        str | None,
        typer.Option("--role", metavar="ROLE", help="Whose grants. Default: who is connected."),
    ] = None,
    tries: Annotated[
        bool,
        typer.Option("--try", help="Run what erases on a few accounts, and take it back."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the data map against the database: what is unsafe, what is slow or forgotten."""
    from retention_worker.service.doctor.doctor import diagnose

    with open_context() as context:
        found = diagnose(context, role=role, tries=tries)
    if as_json:
        print_json(_document(found, sql=sql))
    elif sql:
        sys.stdout.write(found.sql)
    else:
        _show(found)
    raise typer.Exit(2 if found.refused else int(found.wrong > 0))


def _show(found: Diagnosis) -> None:
    if found.stores:
        table(
            ("objects in", "versions", "Object Lock", "lifecycle", "may delete"),
            (
                (
                    each.store,
                    each.error or each.versions,
                    each.object_lock,
                    each.lifecycle,
                    _rights(each),
                )
                for each in found.stores
            ),
        )
    for finding in found.findings:
        word, style = _WORDS[finding.severity]
        say(f"{word}: {finding.subject}: {finding.message}", style)
    refused = found.refused
    warned = sum(finding.severity == "warn" for finding in found.findings)
    if refused:
        say(
            f"{counted(refused, 'thing')} must be mended before anything is erased"
            f" ({counted(warned, 'warning')}); `doctor --sql` prints what SQL can mend.",
            "bold red",
        )
    elif found.wrong:
        say(
            f"{counted(found.wrong, 'thing')} must be mended, though sweeps go on"
            f" ({counted(warned, 'warning')}).",
            "bold red",
        )
    else:
        looked = "As far as it was looked at, the data map is safe on this database"
        say(f"{looked}; {counted(warned, 'warning')}.", "green")
    _show_trials(found)


def _show_trials(found: Diagnosis) -> None:
    """What was tried, and what was not: a look is no proof."""
    if found.trials is None:
        if not found.refused:
            say("Erasing was not tried: `doctor --try` does, on a few accounts, and takes it back.")
        return
    for trial in found.trials:
        style = {"refused": "red", "tried": ""}.get(trial.outcome, "yellow")
        rows = f" on {counted(trial.rows, 'row')}" if trial.outcome == "tried" else ""
        say(f"{trial.entry}: {trial.outcome}{rows}", style)


def _tried(found: Diagnosis) -> list[dict[str, object]] | None:
    if found.trials is None:
        return None
    return [
        {"entry": each.entry, "outcome": each.outcome, "rows": each.rows, "error": each.error}
        for each in found.trials
    ]


def _rights(store: StoreInspection) -> str:
    if store.may_delete_versions == "yes":
        return "objects and versions"
    return "objects" if store.may_delete == "yes" else store.may_delete_versions


def _document(found: Diagnosis, *, sql: bool) -> dict[str, object]:
    document: dict[str, object] = {
        "safe": not found.refused and not found.wrong,
        "findings": found.findings,
        "stores": found.stores,
        "tried": _tried(found),
    }
    return document | ({"sql": found.sql} if sql else {})
