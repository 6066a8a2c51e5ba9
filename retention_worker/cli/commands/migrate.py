"""The command `migrate`: the worker's own schema."""

from __future__ import annotations

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import AsJson
from retention_worker.cli.terminal.output import print_json, say


def migrate(as_json: AsJson = False) -> None:
    """Bring the worker's own schema up to this version; nobody else's tables are touched."""
    from retention_worker.service.schema import migrate as apply

    with open_context() as context:
        schema = context.settings.schema_name
        applied = apply(context)
    if as_json:
        print_json({"schema": schema, "applied": applied})
        return
    for name in applied:
        say(f"applied {name}")
    say(
        f"The schema {schema} is up to date." if applied else f"The schema {schema} was up to date."
    )
