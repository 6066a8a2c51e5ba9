"""The command `clock accept`: a past sweep's clock was wrong."""

from __future__ import annotations

import typer

from retention_worker.cli.terminal.context import open_context
from retention_worker.cli.terminal.options import Actor, Reason, actor_of
from retention_worker.cli.terminal.output import say

app = typer.Typer(no_args_is_help=True, help="Accept a clock that a past sweep had wrong.")


@app.callback()
def _group() -> None:
    """Accept a clock that a past sweep had wrong."""


@app.command("accept")
def accept(reason: Reason, actor: Actor = None) -> None:
    """Let the times of past sweeps count no more, where one was dated in the future."""
    from retention_worker.service.guard.pause import accept_clock

    with open_context() as context:
        accept_clock(context, reason=reason, actor=actor_of(actor))
    say("The clock is accepted: the times of past sweeps count no more.")
