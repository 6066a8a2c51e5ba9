"""The commands `objects list` and `objects retry`: what is queued outside the database."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import AsJson, Tenant
from retention_worker.cli.terminal.output import count, counted, instant, print_json, say, table
from retention_worker.domain.objects.object import ObjectState
from retention_worker.domain.objects.uri import shown

app = typer.Typer(
    no_args_is_help=True, help="Objects outside the database whose rows are gone: the outbox."
)

State = Annotated[ObjectState | None, typer.Option("--state", help="Only those in this state.")]


@app.command("list")
def list_(
    tenant: Tenant = None,
    state: State = None,
    limit: Annotated[int, typer.Option(min=1, help="So many at the most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show what is not deleted yet, and why; what needs a person comes first.

    Exit 1: some do not go by themselves, or should have gone by now.
    """
    from retention_worker.service.objects import outbox

    with open_context() as context:
        found = outbox.listed(context, tenant=tenant, state=state, limit=limit)
    if as_json:
        print_json(
            {
                "counts": {each.value: found.counts.get(each, 0) for each in ObjectState},
                "late": found.late,
                "objects": found.objects,
            }
        )
        raise typer.Exit(found.exit_code)
    if found.objects:
        table(
            ("id", "tenant id", "account", "object", "state", "asked", "again"),
            (
                (
                    str(each.id),
                    each.tenant_id,
                    each.account_id,
                    f"{shown(each.uri)}\n{each.entry}, batch {each.batch_id}",
                    _state(each),
                    count(each.attempts),
                    "objects retry" if each.state is ObjectState.FAILED else instant(each.retry_at),
                )
                for each in found.objects
            ),
            numbers=("id", "asked"),
        )
    total = sum(found.counts.values())
    parts = [f"{count(found.counts[each])} {each}" for each in ObjectState if each in found.counts]
    said = f" ({', '.join(parts)})" if parts else ""
    say(f"{counted(total, 'object')} not deleted{said}.")
    if found.late:
        say(
            f"{counted(found.late, 'object')} queued for too long: no drain runs, everything is "
            "paused, or their store cannot be asked: see `sweep` and `doctor`.",
            "bold red",
        )
    raise typer.Exit(found.exit_code)


@app.command("retry")
def retry(
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="[ID]...", help="Numbers from `objects list`.")
    ] = None,
    tenant: Tenant = None,
    state: State = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are not deleted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have objects asked for again by the next drain, with no regard to earlier attempts."""
    from retention_worker.service.objects import outbox

    if not ids and state is None and not everything:
        raise typer.BadParameter("name what to retry: ids, --state denied, or --all")
    with open_context() as context:
        number = outbox.retry(context, tenant=tenant, state=state, ids=ids or None)
    if as_json:
        print_json({"retried": number})
        return
    say(f"{counted(number, 'object')} will be asked for again by the next drain.")


def _state(each: Any) -> str:
    since = f" since {instant(each.since)}" if each.since else ""
    error = f"\n{each.error}" if each.error else ""
    return f"{each.state}{since}{error}"
